/** The states of a task. The last four are final. */
export type TaskStatus = 'active' | 'paused' | 'completed' | 'cancelled' | 'failed' | 'expired';

/** What can happen to a task. */
export type TaskEvent = 'pause' | 'resume' | 'complete' | 'cancel' | 'fail' | 'expire';

const transitions: Record<TaskStatus, Partial<Record<TaskEvent, TaskStatus>>> = {
  active: {
    pause: 'paused',
    complete: 'completed',
    cancel: 'cancelled',
    fail: 'failed',
    expire: 'expired',
  },
  // A paused task is not completed: what it waits for has not been answered.
  paused: { resume: 'active', cancel: 'cancelled', fail: 'failed', expire: 'expired' },
  completed: {},
  cancelled: {},
  failed: {},
  expired: {},
};

/** The state after `event`, or `undefined` when it cannot happen in `status`. */
export function transition(status: TaskStatus, event: TaskEvent): TaskStatus | undefined {
  return transitions[status][event];
}

/** Whether nothing can happen to a task any more. */
export function hasEnded(status: TaskStatus): boolean {
  return Object.keys(transitions[status]).length === 0;
}

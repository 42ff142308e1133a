import type { Pause } from './pause-record.ts';
import type { Principal } from './principal.ts';
import type { Effect } from './requirement.ts';
import type { RecordIndex } from './store.ts';
import { type TaskEvent, type TaskStatus, transition } from './task-state.ts';

/** What a task was given for one resource: the union of its requirements, nothing more. */
export interface TaskAuthority {
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly effects: readonly Effect[];
  readonly provider: string;
  readonly delegationId: string;
}

/** The durable record of a task. It survives restarts and is the same in every process. */
export interface TaskRecord {
  readonly id: string;
  readonly principal: Principal;
  /** Keyed hash of the principal. */
  readonly subject: string;
  readonly agent: string;
  readonly account: string;
  readonly authorities: readonly TaskAuthority[];
  readonly status: TaskStatus;
  /** How often it was resumed. */
  readonly attempt: number;
  /** Epoch ms. */
  readonly createdAt: number;
  /** Active time it may use, ms: the expected duration and 20 %. Waiting for people does not count. */
  readonly activeBudgetMs: number;
  /** Active time used before `activeSince`, ms. */
  readonly activeUsedMs: number;
  /** Epoch ms since when it is active; absent while it is not. */
  readonly activeSince?: number;
  /** Epoch ms after which it ends whatever it waits for. */
  readonly lifetimeEndsAt: number;
  /**
   * The pause it waits for. The whole pause is here too, since this one write is what makes the task paused: a
   * process that dies right after it loses nothing.
   */
  readonly pause?: Pause;
  /** Whether that pause is known to have a record of its own. */
  readonly pauseRecorded?: boolean;
  /** Epoch ms. */
  readonly endedAt?: number;
  readonly endReason?: string;
  /** Whether what it was given has been ended too. */
  readonly authorityEnded?: boolean;
}

/** What names a task and says who acts for whom: it never changes. */
export type TaskIdentity = Pick<TaskRecord, 'id' | 'principal' | 'subject' | 'agent'>;

/** Epoch ms at which an active task runs out of time. */
export function deadlineOf(record: TaskRecord): number {
  if (record.activeSince === undefined) return record.lifetimeEndsAt;
  const activeUntil = record.activeSince + record.activeBudgetMs - record.activeUsedMs;
  return Math.min(activeUntil, record.lifetimeEndsAt);
}

/** What may change together with a task's state. */
export interface TaskChange {
  /** Epoch ms. */
  readonly now: number;
  readonly pause?: Pause;
  readonly endReason?: string;
}

/** The record after `event`, with its clock stopped or started; `undefined` when the event cannot happen now. */
export function applied(
  record: TaskRecord,
  event: TaskEvent,
  change: TaskChange,
): TaskRecord | undefined {
  const status = transition(record.status, event);
  if (status === undefined) return undefined;
  const { activeSince, pause: _answered, pauseRecorded: _recorded, ...rest } = record;
  const usedMs = activeSince === undefined ? 0 : Math.max(0, change.now - activeSince);
  const moved = { ...rest, status, activeUsedMs: record.activeUsedMs + usedMs };
  if (status === 'active')
    return { ...moved, activeSince: change.now, attempt: record.attempt + 1 };
  if (status === 'paused')
    return change.pause === undefined ? undefined : { ...moved, pause: change.pause };
  return {
    ...moved,
    endedAt: change.now,
    ...(change.endReason === undefined ? {} : { endReason: change.endReason }),
  };
}

/**
 * When maintenance has to look at a task: at its deadline, soon after it was paused, since its process may have died
 * before it wrote the pause, and after its end until its authority has ended too.
 */
function taskDueAt(record: TaskRecord): number {
  const { endedAt, pause, pauseRecorded } = record;
  if (endedAt !== undefined) return endedAt + graceMs;
  const recordDueAt =
    pause === undefined || pauseRecorded === true
      ? Number.POSITIVE_INFINITY
      : pause.openedAt + graceMs;
  return Math.min(deadlineOf(record), recordDueAt);
}

/** Who begins something ends it; another process helps only after this time. */
const graceMs = 5000;

/** What the store may search a task by. */
export function taskIndex(record: TaskRecord): RecordIndex {
  if (record.authorityEnded === true && record.endedAt !== undefined)
    return endedTaskIndex(record, record.endedAt);
  return {
    kind: 'task',
    status: record.status,
    subject: record.subject,
    taskId: record.id,
    dueAt: Math.ceil(taskDueAt(record)),
  };
}

/**
 * A task for which nothing is left to do is of another kind, so that nobody who looks for work walks past it.
 *
 * @param from epoch ms from when the time counts for which it is kept.
 */
export function endedTaskIndex(record: TaskRecord, from: number): RecordIndex {
  const { status, subject, id } = record;
  return { kind: 'ended-task', status, subject, taskId: id, dueAt: Math.ceil(from) };
}

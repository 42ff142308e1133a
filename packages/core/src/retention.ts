import { taskStream } from './audit-streams.ts';
import type { Runtime } from './runtime.ts';
import type { ListedRecord, RecordIndex, RecordKind } from './store.ts';
import { endedTaskIndex, type TaskRecord } from './task-record.ts';

/** How long what is over is kept. */
export interface RetentionConfiguration {
  /** How long a task that has ended is kept, with its pauses, calls and delegations, ms. Default: for ever. */
  readonly endedTasksMs?: number;
  /** Whether the audit log of a task goes when the task goes. Default false: it stays for ever. */
  readonly taskAudit?: boolean;
  /**
   * How long an event that matched nobody is kept for a link that may come, ms; the audit log tells when one goes.
   * Default: for ever.
   */
  readonly unmatchedEventsMs?: number;
  /** How many notices of the stop feed are kept, for processes that were away. Default 10 000. */
  readonly stopNotices?: number;
}

/** What belongs to a task alone, and the states in which nothing can happen to it, or be found out about it, any more. */
const belongings: Partial<Record<RecordKind, ReadonlySet<string | undefined>>> = {
  pause: new Set(['consumed', 'cancelled', 'expired']),
  call: new Set(['done', 'refused', 'declined', 'suspended', 'issued', 'used']),
  delegation: new Set(['revoked', 'lapsing']),
};

/** How many tasks one round of maintenance removes: others wait for it. */
const tasksPerRound = 64;

/**
 * Removes tasks that ended longer ago than they are to be kept, with what belongs to them alone: some in each round.
 * Grants, people and connections are never touched, nor is a task with an open pause, a call whose outcome is not
 * known, or a delegation whose end is still being tried; it is looked at again later.
 *
 * @param failures takes what went wrong with one task; it keeps nobody from the others.
 * @returns how many tasks were removed.
 */
export async function removeEndedTasks(runtime: Runtime, failures: unknown[]): Promise<number> {
  const { records, clock, policy } = runtime;
  const { endedTasksMs } = policy.retention;
  if (endedTasksMs === undefined) return 0;
  const due: ListedRecord[] = [];
  const dueBefore = clock.now() - endedTasksMs;
  for await (const task of records.list({ kind: 'ended-task', dueBefore }))
    if (due.push(task) === tasksPerRound) break;
  let removed = 0;
  for (const task of due)
    try {
      if (await removeTask(runtime, task)) removed += 1;
    } catch (error) {
      failures.push(error);
    }
  return removed;
}

async function removeTask(runtime: Runtime, task: ListedRecord): Promise<boolean> {
  const { records, store, policy } = runtime;
  const { taskId } = task.index;
  if (taskId === undefined) return false;
  const owned: ListedRecord[] = [];
  for (const kind of Object.keys(belongings) as RecordKind[])
    for await (const record of records.list({ kind, taskId })) owned.push(record);
  if (owned.some(({ index }) => isNeeded(index))) {
    await postpone(runtime, task);
    return false;
  }
  // The task last: whoever goes on after a crash finds it, and what is left of it.
  for (const { key, version } of owned) if (!(await records.forget(key, version))) return false;
  if (policy.retention.taskAudit) {
    const last = await store.last(taskStream(taskId));
    if (last !== undefined) await store.trim(taskStream(taskId), last.sequence + 1);
  }
  return records.forget(task.key, task.version);
}

function isNeeded({ kind, status, dueAt }: RecordIndex): boolean {
  return dueAt !== undefined || belongings[kind]?.has(status) !== true;
}

/** It is looked at again after another retention time. */
async function postpone({ records, clock }: Runtime, task: ListedRecord): Promise<void> {
  const found = await records.get<TaskRecord>(task.key);
  if (found?.version !== task.version) return;
  await records.swap(
    task.key,
    found.version,
    found.value,
    endedTaskIndex(found.value, clock.now()),
  );
}

import type { DelegationRecord } from './delegation.ts';
import { endDelegation } from './delegations.ts';
import type { Pauses } from './pauses.ts';
import type { Runtime } from './runtime.ts';
import type { RecordKind } from './store.ts';
import type { TaskRecord } from './task-record.ts';
import { hasEnded } from './task-state.ts';
import type { Tasks } from './tasks.ts';

/** What one round of maintenance did. */
export interface MaintenanceReport {
  readonly tasksExpired: number;
  readonly pausesExpired: number;
  readonly delegationsEnded: number;
  /** Principals of running tasks whose state was asked again. */
  readonly revalidated: number;
}

/**
 * Does what is due: ends tasks that ran out of time and pauses nobody decided, retries revocations, and asks the
 * gate again for the principals of running tasks. Every step is claimed in its record, so that it is done once
 * whichever process does it.
 */
export async function maintain(
  runtime: Runtime,
  tasks: Tasks,
  pauses: Pauses,
): Promise<MaintenanceReport> {
  const { records, clock, userStates } = runtime;

  const due = async <T>(kind: RecordKind): Promise<{ key: string; value: T }[]> => {
    const found: { key: string; value: T }[] = [];
    for await (const { key } of records.list({ kind, dueBefore: clock.now() })) {
      const record = await records.get<T>(key);
      if (record !== undefined) found.push({ key, value: record.value });
    }
    return found;
  };

  let tasksExpired = 0;
  for (const { value } of await due<TaskRecord>('task')) {
    if (hasEnded(value.status)) await tasks.endAuthority(value);
    else if (await tasks.expireIfDue(value)) tasksExpired += 1;
  }

  let pausesExpired = 0;
  for (const { value } of await due<{ id: string }>('pause')) {
    await pauses.expire(value.id);
    pausesExpired += 1;
  }

  let delegationsEnded = 0;
  for (const { value } of await due<DelegationRecord>('delegation')) {
    const task = await tasks.load(value.taskId);
    if (task === undefined) continue;
    const end = await endDelegation(runtime, tasks, task.current.value, value.id);
    if (end.status !== 'revoking') delegationsEnded += 1;
  }

  let revalidated = 0;
  const running = new Map(tasks.active().map((task) => [task.subject, task]));
  for (const { principal, subject } of running.values()) {
    if (!userStates.wantsRevalidation(userStates.cell(principal, subject))) continue;
    await userStates.check(principal, subject, 'revalidate');
    revalidated += 1;
  }

  return { tasksExpired, pausesExpired, delegationsEnded, revalidated };
}

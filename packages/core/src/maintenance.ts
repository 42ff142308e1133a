import type { DelegationRecord } from './delegation.ts';
import { endDelegation } from './delegations.ts';
import type { Hold } from './holds.ts';
import type { OwnJournal } from './journal-adoption.ts';
import type { Pauses } from './pauses.ts';
import type { Runtime } from './runtime.ts';
import type { RecordKind } from './store.ts';
import type { ReceivedEvent } from './subject-event.ts';
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
  /** New pairs of dead processes that were found in this host's journal, and stored. */
  readonly pairsAdopted: number;
}

/**
 * Does what is due: stores the pairs that dead processes left in this host's journal, ends tasks that ran out of time
 * and pauses nobody decided, retries revocations, asks silent gate sources whether they are back, goes on with events
 * whose receiver died, and asks the gate again for the principals of running tasks. Every step is claimed in its
 * record, so that it is done once whichever process does it.
 *
 * @throws {AggregateError} after the whole round, when some of it could not be done; that is due again next time.
 */
export async function maintain(
  runtime: Runtime,
  tasks: Tasks,
  pauses: Pauses,
  ownJournal: OwnJournal,
): Promise<MaintenanceReport> {
  const { records, clock, userStates, holds, killSwitches, directory } = runtime;
  const failures: unknown[] = [];

  /** A record that cannot be worked on stays due, and keeps nobody from the others. */
  const eachDue = async <T>(kind: RecordKind, work: (value: T) => Promise<void>): Promise<void> => {
    const keys: string[] = [];
    for await (const { key } of records.list({ kind, dueBefore: clock.now() })) keys.push(key);
    for (const key of keys)
      try {
        const record = await records.get<T>(key);
        if (record !== undefined) await work(record.value);
      } catch (error) {
        failures.push(error);
      }
  };

  const pairsAdopted = await ownJournal.clear(failures);

  let tasksExpired = 0;
  await eachDue<TaskRecord>('task', async (task) => {
    if (hasEnded(task.status)) await tasks.endAuthority(task);
    else if (await tasks.expireIfDue(task)) tasksExpired += 1;
  });

  let pausesExpired = 0;
  await eachDue<{ id: string }>('pause', async ({ id }) => {
    await pauses.expire(id);
    pausesExpired += 1;
  });

  let delegationsEnded = 0;
  await eachDue<DelegationRecord>('delegation', async ({ id, taskId }) => {
    const task = await tasks.load(taskId);
    if (task === undefined) return;
    const end = await endDelegation(runtime, tasks, task.current.value, id);
    if (end.status !== 'revoking') delegationsEnded += 1;
  });

  // Sign-ins that nobody came back from. What they hold is of no use any more.
  for await (const { key, version } of records.list({ kind: 'connection', dueBefore: clock.now() }))
    await records.swap(key, version, null, { kind: 'connection' });

  await holds.retry().catch((error: unknown) => failures.push(error));
  await eachDue<Hold>('hold', (hold) => holds.lookAfter(hold));
  await eachDue<ReceivedEvent>('event', (event) => directory.lookAfter(event));

  await killSwitches.refresh();
  await tasks.refresh();
  let revalidated = 0;
  const running = new Map(tasks.active().map((task) => [task.subject, task]));
  for (const { principal, subject } of running.values()) {
    if (!userStates.wantsRevalidation(userStates.cell(principal, subject))) continue;
    await userStates.check(principal, subject, 'revalidate');
    revalidated += 1;
  }

  if (failures.length > 0)
    throw new AggregateError(
      failures,
      `maintenance: ${failures.length} things could not be done and stay due`,
    );
  return { tasksExpired, pausesExpired, delegationsEnded, revalidated, pairsAdopted };
}

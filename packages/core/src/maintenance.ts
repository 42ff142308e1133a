import type { ConnectionRecord } from './connection-record.ts';
import { pollKey } from './decoupled-connection.ts';
import type { DelegationRecord } from './delegation.ts';
import { withdrawDelegation, withdrawDelegations } from './delegation-withdrawal.ts';
import { endDelegation } from './delegations.ts';
import type { Hold } from './holds.ts';
import type { OwnJournal } from './journal-adoption.ts';
import { keepDeadlines } from './pause-deadlines.ts';
import type { PauseNotices } from './pause-notices.ts';
import type { PauseContext } from './pauses.ts';
import type { Principal } from './principal.ts';
import { removeEndedTasks } from './retention.ts';
import type { RecordKind } from './store.ts';
import type { ReceivedEvent } from './subject-event.ts';
import { deadlineOf, type TaskRecord } from './task-record.ts';
import { hasEnded } from './task-state.ts';

/** What one round of maintenance did. */
export interface MaintenanceReport {
  readonly tasksExpired: number;
  readonly pausesExpired: number;
  /** Pauses whose next step has begun, since nobody decided in time. */
  readonly pausesEscalated: number;
  /** Notices that were sent to people. */
  readonly noticesSent: number;
  readonly delegationsEnded: number;
  /** Connections by device or backchannel that people have answered. */
  readonly connectionsMade: number;
  /** Tasks that had ended and whose time to be kept was over. */
  readonly tasksRemoved: number;
  /** Principals of running tasks whose state was asked again. */
  readonly revalidated: number;
  /** New pairs of dead processes that were found in this host's journal, and stored. */
  readonly pairsAdopted: number;
}

/**
 * Does what is due: stores the pairs that dead processes left in this host's journal, ends tasks that ran out of time
 * and pauses nobody decided, begins the next step of a ladder and tells people, retries revocations, asks silent gate
 * sources whether they are back, goes on with events whose receiver died, removes what has been kept long enough, and
 * asks the gate again for the principals of running tasks. Every step is claimed in its record, so that it is done once
 * whichever process does it.
 *
 * @throws {AggregateError} after the whole round, when some of it could not be done; that is due again next time.
 */
export async function maintain(
  context: PauseContext,
  notices: PauseNotices,
  ownJournal: OwnJournal,
): Promise<MaintenanceReport> {
  const { runtime, tasks, pauses } = context;
  const { records, clock, userStates, holds, killSwitches, directory } = runtime;
  const failures: unknown[] = [];

  /** A record that cannot be worked on stays due, and keeps nobody from the others. */
  const eachDue = async <T>(
    kind: RecordKind,
    work: (value: T, key: string) => Promise<void>,
  ): Promise<void> => {
    const keys: string[] = [];
    for await (const { key } of records.list({ kind, dueBefore: clock.now() })) keys.push(key);
    for (const key of keys)
      try {
        const record = await records.get<T>(key);
        if (record !== undefined) await work(record.value, key);
      } catch (error) {
        failures.push(error);
      }
  };

  const pairsAdopted = await ownJournal.clear(failures);

  let tasksExpired = 0;
  await eachDue<TaskRecord>('task', async (task) => {
    if (hasEnded(task.status)) await tasks.endAuthority(task);
    else if (await tasks.expireIfDue({ id: task.id, deadlineAt: deadlineOf(task) }))
      tasksExpired += 1;
    else if (task.pause !== undefined) {
      // Reading it writes it, should the process that paused the task have died before it could.
      await pauses.get(task.pause.id);
      await tasks.pauseIsRecorded(task.id, task.pause.id);
    }
  });

  let pausesExpired = 0;
  let pausesEscalated = 0;
  let noticesSent = 0;
  await eachDue<{ id: string }>('pause', async ({ id }) => {
    const progress = await keepDeadlines(context, id);
    if (progress === 'expired') pausesExpired += 1;
    if (progress === 'advanced') pausesEscalated += 1;
    noticesSent += await notices.tellDue(id);
  });

  let delegationsEnded = 0;
  await eachDue<DelegationRecord>('delegation', async ({ id, taskId, status }) => {
    if (status === 'live') return withdrawDelegation(runtime, tasks, id);
    const task = await tasks.load(taskId);
    if (task === undefined) return;
    const end = await endDelegation(runtime, tasks, task, id);
    if (end.status !== 'revoking') delegationsEnded += 1;
  });

  let connectionsMade = 0;
  await eachDue<ConnectionRecord>('connection', async (connection, key) => {
    const isAsked = connection.flow !== 'code' && connection.result === undefined;
    if (isAsked && connection.expiresAt > clock.now()) {
      const { status } = await pollKey(context, key);
      if (status === 'connected') connectionsMade += 1;
      return;
    }
    // Nobody came back from it, or everybody knows the result. What it holds is of no use any more.
    await records.swap(key, await records.version(key), null, { kind: 'connection' });
  });

  for await (const { key } of records.list({ kind: 'subject', dueBefore: clock.now() }))
    await withdrawFrom(context, key).catch((error: unknown) => failures.push(error));

  await holds.retry().catch((error: unknown) => failures.push(error));
  await eachDue<Hold>('hold', (hold) => holds.lookAfter(hold));
  await eachDue<ReceivedEvent>('event', (event) => directory.lookAfter(event));

  const tasksRemoved = await removeEndedTasks(runtime, failures);
  try {
    await runtime.feed.trim(runtime.policy.retention.stopNotices);
  } catch (error) {
    failures.push(error);
  }

  await killSwitches.refresh();
  await tasks.refresh();
  let revalidated = 0;
  const running = new Map<string, Principal>();
  for (const { subject, principal } of tasks.active()) running.set(subject, principal);
  for (const [subject, principal] of running) {
    if (!userStates.wantsRevalidation(userStates.cell(principal, subject))) continue;
    await userStates.check(principal, subject, 'revalidate');
    revalidated += 1;
  }

  if (failures.length > 0)
    throw new AggregateError(
      failures,
      `maintenance: ${failures.length} things could not be done and stay due`,
    );
  return {
    tasksExpired,
    pausesExpired,
    pausesEscalated,
    noticesSent,
    delegationsEnded,
    connectionsMade,
    tasksRemoved,
    revalidated,
    pairsAdopted,
  };
}

/** What a revoked person's tasks work with is revoked once; what fails then is due by itself. */
async function withdrawFrom({ runtime, tasks }: PauseContext, key: string): Promise<void> {
  const { records } = runtime;
  const found = await records.get(key);
  if (found?.index.subject === undefined) return;
  await withdrawDelegations(runtime, tasks, found.index.subject);
  const { dueAt: _done, ...index } = found.index;
  await records.swap(key, found.version, found.value, index);
}

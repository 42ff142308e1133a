import type { ListedRecord, RecordKind } from '@outlive/core';
import type { Keyspace } from './keyspace.ts';
import { isOver, readRecords } from './records.ts';
import { replyTo } from './redis-connection.ts';
import { endedTasksScript, forgetScript, postponeScript } from './scripts.ts';
import type { Operation } from './session.ts';
import { runScript } from './writer.ts';

/** Does one step, in the time that an operation has; what it does may be repeated. */
type Step = <T>(operation: Operation<T>) => Promise<T>;

/** What belongs to a task alone. Grants, subjects and connections outlive every task, and are never removed. */
const ofTask: readonly RecordKind[] = ['pause', 'call', 'delegation'];

/** How many tasks one sweep removes. Each ended task brings a sweep, so that it keeps up. */
const tasksPerSweep = 16;

/**
 * Removes tasks that ended longer ago than `retentionMs`, by the server's clock, with their pauses, calls and delegations.
 * A call of a task that still runs stays, however old: it is what keeps the call from being made again.
 */
export async function removeEndedTasks(
  step: Step,
  keys: Keyspace,
  retentionMs: number,
): Promise<void> {
  const limits = [String(retentionMs), String(tasksPerSweep)];
  const ids = await step((connection) =>
    runScript(connection, endedTasksScript, ['1', keys.ended, ...limits]),
  );
  for (const taskId of ids as string[]) await removeTask(step, keys, taskId);
}

async function removeTask(step: Step, keys: Keyspace, taskId: string): Promise<void> {
  const tasks = await recordsOf(step, keys, 'task', taskId);
  const belongings: ListedRecord[] = [];
  for (const kind of ofTask) belongings.push(...(await recordsOf(step, keys, kind, taskId)));
  // Something is still to be done, such as a revocation that the issuer has not accepted yet.
  if (
    tasks.some(({ index }) => !isOver(index)) ||
    belongings.some(({ index }) => index.dueAt !== undefined)
  ) {
    await step((connection) => runScript(connection, postponeScript, ['1', keys.ended, taskId]));
    return;
  }
  // The task last, and then the note of its end: whoever goes on after a crash finds what is left.
  for (const { key, version } of [...belongings, ...tasks])
    await step((connection) =>
      runScript(connection, forgetScript, [
        ...['2', keys.record(key), keys.index],
        ...[key, String(version)],
      ]),
    );
  await step((connection) => replyTo(connection, ['ZREM', keys.ended, taskId]));
}

async function recordsOf(
  step: Step,
  keys: Keyspace,
  kind: RecordKind,
  taskId: string,
): Promise<readonly ListedRecord[]> {
  const records: ListedRecord[] = [];
  let after: string | undefined;
  do {
    const from = after;
    const page = await step((connection) => readRecords(connection, keys, { kind, taskId }, from));
    records.push(...page.found);
    after = page.next;
  } while (after !== undefined);
  return records;
}

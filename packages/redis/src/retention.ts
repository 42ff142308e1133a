import type { ListedRecord, RecordKind } from '@outlive/core';
import type { Keyspace } from './keyspace.ts';
import { isOver, readRecords } from './records.ts';
import { type RedisConnection, replyTo } from './redis-connection.ts';
import { endedTasksScript, forgetScript, postponeScript } from './scripts.ts';
import { runScript } from './writer.ts';

/** What belongs to a task alone. Grants, subjects and connections outlive every task, and are never removed. */
const ofTask: readonly RecordKind[] = ['pause', 'call', 'delegation'];

/** How many tasks one sweep removes. Each ended task brings a sweep, so that it keeps up. */
const tasksPerSweep = 16;

/**
 * Removes tasks that ended longer ago than `retentionMs`, by the server's clock, with their pauses, calls and delegations.
 * A call of a task that still runs stays, however old: it is what keeps the call from being made again.
 */
export async function removeEndedTasks(
  connection: RedisConnection,
  keys: Keyspace,
  retentionMs: number,
): Promise<void> {
  const limits = [String(retentionMs), String(tasksPerSweep)];
  const ids = await runScript(connection, endedTasksScript, ['1', keys.ended, ...limits]);
  for (const taskId of ids as string[]) await removeTask(connection, keys, taskId);
}

async function removeTask(
  connection: RedisConnection,
  keys: Keyspace,
  taskId: string,
): Promise<void> {
  const tasks = await recordsOf(connection, keys, 'task', taskId);
  const belongings: ListedRecord[] = [];
  for (const kind of ofTask) belongings.push(...(await recordsOf(connection, keys, kind, taskId)));
  // Something is still to be done, such as a revocation that the issuer has not accepted yet.
  if (
    tasks.some(({ index }) => !isOver(index)) ||
    belongings.some(({ index }) => index.dueAt !== undefined)
  ) {
    await runScript(connection, postponeScript, ['1', keys.ended, taskId]);
    return;
  }
  // The task last, and then the note of its end: whoever goes on after a crash finds what is left.
  for (const { key, version } of [...belongings, ...tasks])
    await runScript(connection, forgetScript, [
      ...['2', keys.record(key), keys.index],
      ...[key, String(version)],
    ]);
  await replyTo(connection, ['ZREM', keys.ended, taskId]);
}

async function recordsOf(
  connection: RedisConnection,
  keys: Keyspace,
  kind: RecordKind,
  taskId: string,
): Promise<readonly ListedRecord[]> {
  const records: ListedRecord[] = [];
  let after: string | undefined;
  do {
    const page = await readRecords(connection, keys, { kind, taskId }, after);
    records.push(...page.found);
    after = page.next;
  } while (after !== undefined);
  return records;
}

import type { Store } from '@outlive/core';
import { connectorOf } from './connector.ts';
import { keyspace } from './keyspace.ts';
import { isOver, readEntries, readLastEntry, readRecord, readRecords } from './records.ts';
import type { RedisConnection } from './redis-connection.ts';
import { type RedisStoreOptions, validOptions } from './redis-options.ts';
import { removeEndedTasks } from './retention.ts';
import { checkServer } from './server-check.ts';
import { createSession } from './session.ts';
import { createWatchers } from './watchers.ts';
import { createWriter } from './writer.ts';

/**
 * A store in Redis or Valkey, shared by the processes of many machines.
 *
 * A write is one script: it compares, writes, keeps the index and tells watchers in one step, and nobody sends it twice.
 * How durable an acknowledged write is depends on the server, which the first operation looks at: see `onWarning` and
 * `requireReplicas`.
 *
 * @throws ConfigurationError naming the option that is wrong.
 */
export function redisStore(options: RedisStoreOptions): Store {
  const { client, prefix, requireReplicas, endedRetentionMs, timeoutMs, onWarning } =
    validOptions(options);
  const keys = keyspace(prefix);
  const connector = connectorOf(client, keys.index);
  const writer = createWriter({ keys, requireReplicas, waitMs: timeoutMs / 2 });
  const watchers = createWatchers(connector, keys);
  const warned = new Set<string>();
  const warnOnce = (message: string): void => {
    if (warned.has(message)) return;
    warned.add(message);
    onWarning(message);
  };
  const session = createSession({
    connector,
    prepare: (connection) => checkServer(connection, keys, requireReplicas, warnOnce),
    timeoutMs,
  });

  const read = <T>(operation: (connection: RedisConnection) => Promise<T>): Promise<T> =>
    session.read(async (connection) => {
      await writer.settle(connection);
      return operation(connection);
    });

  let sweep: Promise<void> | undefined;
  const sweepEndedTasks = (): void => {
    if (endedRetentionMs === undefined) return;
    sweep ??= removeEndedTasks(session.read, keys, endedRetentionMs)
      // Nothing is lost: what was not removed is found by the next sweep, and no caller waits for this one.
      .catch(() => undefined)
      .finally(() => {
        sweep = undefined;
      });
  };

  return {
    get: (key) => read((connection) => readRecord(connection, keys, key)),

    async compareAndSwap(key, expectedVersion, value, index) {
      session.assertOpen();
      assertWellFormed({ key, value, ...index, dueAt: undefined });
      if (!isCount(expectedVersion)) return false;
      const swapped = await session.write((connection) =>
        writer.compareAndSwap(connection, key, expectedVersion, value, index),
      );
      if (swapped && isOver(index)) sweepEndedTasks();
      return swapped;
    },

    async *list(query) {
      let after: string | undefined;
      do {
        const from = after;
        const page = await read((connection) => readRecords(connection, keys, query, from));
        yield* page.found;
        after = page.next;
      } while (after !== undefined);
    },

    async append(stream, expectedSequence, value) {
      session.assertOpen();
      assertWellFormed({ stream, value });
      if (!isCount(expectedSequence) || expectedSequence === 0) return false;
      return session.write((connection) =>
        writer.append(connection, stream, expectedSequence, value),
      );
    },

    async *read(stream, fromSequence) {
      let from: number | undefined = fromSequence;
      while (from !== undefined) {
        const start: number = from;
        const page = await read((connection) => readEntries(connection, keys, stream, start));
        yield* page.found;
        from = page.next;
      }
    },

    last: (stream) => read((connection) => readLastEntry(connection, keys, stream)),

    watch(target, wake) {
      session.assertOpen();
      return watchers.add(target, wake);
    },

    async close() {
      watchers.close();
      session.close();
      await sweep;
    },
  };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Redis is sent UTF-8: a lone surrogate would silently become another character, and two keys one. */
function assertWellFormed(texts: Record<string, string | null | undefined>): void {
  for (const [name, text] of Object.entries(texts))
    if (text?.isWellFormed() === false)
      throw new TypeError(`${name} must be well-formed Unicode; it has a lone surrogate`);
}

import type { Store } from '@outlive/core';
import { assertWellFormed } from '@outlive/core/driver';
import { connectorOf } from './connector.ts';
import { keyspace } from './keyspace.ts';
import { readEntries, readLastEntry, readRecord, readRecords } from './records.ts';
import type { RedisConnection } from './redis-connection.ts';
import { type RedisStoreOptions, validOptions } from './redis-options.ts';
import { checkServer } from './server-check.ts';
import { createRedisSession } from './session.ts';
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
  const { client, prefix, requireReplicas, timeoutMs, onWarning } = validOptions(options);
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
  const session = createRedisSession({
    connector,
    prepare: (connection) => checkServer(connection, keys, requireReplicas, warnOnce),
    timeoutMs,
  });

  const read = <T>(operation: (connection: RedisConnection) => Promise<T>): Promise<T> =>
    session.read(async (connection) => {
      await writer.settle(connection);
      return operation(connection);
    });

  return {
    get: (key) => read((connection) => readRecord(connection, keys, key)),

    async compareAndSwap(key, expectedVersion, value, index) {
      session.assertOpen();
      assertWellFormed({ key, value, ...index, dueAt: undefined });
      if (!isCount(expectedVersion)) return false;
      return session.write((connection) =>
        writer.compareAndSwap(connection, key, expectedVersion, value, index),
      );
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

    async append(stream, expectedSequence, values) {
      session.assertOpen();
      assertWellFormed({ stream });
      for (const value of values) assertWellFormed({ value });
      if (!isCount(expectedSequence) || expectedSequence === 0 || values.length === 0) return false;
      return session.write((connection) =>
        writer.append(connection, stream, expectedSequence, values),
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

    async forget(key, version) {
      session.assertOpen();
      if (!isCount(version)) return false;
      return session.write((connection) => writer.forget(connection, key, version));
    },

    async trim(stream, fromSequence) {
      session.assertOpen();
      await session.write((connection) => writer.trim(connection, stream, fromSequence));
    },

    watch(target, wake) {
      session.assertOpen();
      return watchers.add(target, wake);
    },

    async close() {
      watchers.close();
      session.close();
    },
  };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

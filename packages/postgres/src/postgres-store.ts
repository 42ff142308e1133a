import type { Store, StoredRecord } from '@outlive/core';
import { assertWellFormed } from '@outlive/core/driver';
import { createGroups } from './groups.ts';
import { createListener } from './listener.ts';
import { type PostgresStoreOptions, validOptions } from './postgres-options.ts';
import {
  type ListCursor,
  readEntries,
  readLastEntry,
  readRecords,
  readRecordsAt,
  readVersions,
} from './reads.ts';
import { migrate, tablesIn } from './schema.ts';
import { createPostgresSession } from './session.ts';
import { createWatchers } from './watchers.ts';
import {
  append,
  channelOf,
  compareAndSwap,
  compareAndSwapTogether,
  forget,
  type Swap,
  topicOf,
  trim,
} from './writes.ts';

/**
 * A store in Postgres, shared by the processes of many machines.
 *
 * Each statement is a transaction of its own: none is ever open while the runtime talks to an issuer, no connection is held
 * between operations, and nothing depends on which connection of a pooler comes next. Swaps that wait at the same moment go
 * out as one statement, and so do readings of records; each gets its own answer. A write tells watchers in its own commit.
 * The tables are made by the first operation.
 *
 * @throws ConfigurationError naming the option that is wrong.
 */
export function postgresStore(options: PostgresStoreOptions): Store {
  const { pool, listen, schema, watchPollMs, operationTimeoutMs, onWarning } =
    validOptions(options);
  const tables = tablesIn(schema);
  // Shorter than the operation, so that a write that waits for a lock ends with an answer, not with a doubt.
  const lockTimeoutMs = Math.max(1, Math.floor(operationTimeoutMs * 0.8));
  const session = createPostgresSession({
    pool,
    prepare: (client) => migrate(client, tables, lockTimeoutMs),
    timeoutMs: operationTimeoutMs,
  });
  const readAt = (keys: readonly string[], startedAt: number) =>
    session.read((client) => readRecordsAt(client, tables, keys), startedAt);
  const get = createGroups<string, StoredRecord | undefined>({
    keyOf: (key) => key,
    alone: async (key, startedAt) => (await readAt([key], startedAt)).get(key),
    together: readAt,
  });
  const swap = createGroups<Swap, boolean>({
    keyOf: ({ key }) => key,
    alone: (write, startedAt) =>
      session.write((client) => compareAndSwap(client, tables, lockTimeoutMs, write), startedAt),
    together: (writes, startedAt) =>
      session.write(async (client) => {
        const written = await compareAndSwapTogether(client, tables, lockTimeoutMs, writes);
        return new Map(written.map((key) => [key, true]));
      }, startedAt),
  });
  const watchers = createWatchers(
    (keys, streams) => session.read((client) => readVersions(client, tables, keys, streams)),
    watchPollMs,
  );
  const listener =
    listen &&
    createListener({
      connection: listen,
      channel: channelOf(schema),
      timeoutMs: operationTimeoutMs,
      async probe(payload) {
        await session.write((client) =>
          client.query('SELECT pg_notify($1, $2)', [channelOf(schema), payload]),
        );
      },
      onNotification(payload) {
        const [topic = '', version] = payload.split(' ');
        watchers.observe(topic, Number(version));
      },
      isHearing: (hears) => watchers.setTold(hears),
      onWarning,
    });

  return {
    async get(key) {
      assertStorable({ key });
      return get(key);
    },

    async compareAndSwap(key, expectedVersion, value, index) {
      session.assertOpen();
      assertStorable({ key, value, ...index, dueAt: undefined });
      if (!isCount(expectedVersion)) return false;
      const swapped = await swap({ key, expectedVersion, value, index: { ...index } });
      if (swapped) watchers.observe(topicOf('key', key), expectedVersion + 1);
      return swapped;
    },

    async *list(query) {
      // To Postgres NaN is the greatest number, to everybody else no number at all.
      if (Number.isNaN(query.dueBefore)) return;
      assertStorable({ ...query, dueBefore: undefined });
      let after: ListCursor | undefined;
      do {
        const from = after;
        const page = await session.read((client) => readRecords(client, tables, query, from));
        yield* page.items;
        after = page.next;
      } while (after !== undefined);
    },

    async append(stream, expectedSequence, values) {
      session.assertOpen();
      assertStorable({ stream });
      for (const value of values) assertStorable({ value });
      if (!isCount(expectedSequence) || expectedSequence === 0 || values.length === 0) return false;
      const entries = { stream, firstSequence: expectedSequence, values };
      const appended = await session.write((client) =>
        append(client, tables, lockTimeoutMs, entries),
      );
      const lastSequence = expectedSequence + values.length - 1;
      if (appended) watchers.observe(topicOf('stream', stream), lastSequence);
      return appended;
    },

    async *read(stream, fromSequence) {
      assertStorable({ stream });
      let from: number | undefined = fromSequence;
      while (from !== undefined) {
        const start: number = from;
        const page = await session.read((client) => readEntries(client, tables, stream, start));
        yield* page.items;
        from = page.next;
      }
    },

    async last(stream) {
      assertStorable({ stream });
      return session.read((client) => readLastEntry(client, tables, stream));
    },

    async forget(key, version) {
      session.assertOpen();
      assertStorable({ key });
      if (!isCount(version)) return false;
      const forgotten = await session.write((client) =>
        forget(client, tables, lockTimeoutMs, key, version),
      );
      if (forgotten) watchers.observe(topicOf('key', key), 0);
      return forgotten;
    },

    async trim(stream, fromSequence) {
      session.assertOpen();
      assertStorable({ stream });
      await session.write((client) => trim(client, tables, stream, fromSequence));
    },

    watch(target, wake) {
      session.assertOpen();
      const watcher = watchers.add(target, wake);
      listener?.open();
      return watcher;
    },

    async close() {
      watchers.close();
      session.close();
      await listener?.close();
    },
  };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function assertStorable(texts: Readonly<Record<string, string | null | undefined>>): void {
  assertWellFormed(texts);
  for (const [name, text] of Object.entries(texts))
    if (text?.includes('\0') === true)
      throw new TypeError(
        `${name} must not hold the character U+0000, which Postgres cannot store`,
      );
}

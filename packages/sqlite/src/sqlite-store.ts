import type { Store } from '@outlive/core';
import { assertWellFormed } from '@outlive/core/driver';
import { createConnection } from './connection.ts';
import { type SqliteStoreOptions, validOptions } from './sqlite-options.ts';
import type { ListCursor } from './statements.ts';
import { createWatchers } from './watchers.ts';

/**
 * A store in one SQLite file, shared by every process of one machine.
 *
 * A write is on disk once it is acknowledged (WAL, `synchronous=FULL`). Waiting for another process's lock does
 * not block the event loop. The file is opened by the first operation, which is also the one to report what is
 * wrong with it.
 *
 * @throws ConfigurationError naming the option that is wrong.
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  const { path, busyTimeoutMs, watchPollMs } = validOptions(options);
  const connection = createConnection(path, busyTimeoutMs);
  const watchers = createWatchers(() => connection.statements, watchPollMs);

  return {
    get: (key) => connection.read((statements) => statements.get(key)),

    async compareAndSwap(key, expectedVersion, value, index) {
      assertWellFormed({ key, value, ...index, dueAt: undefined });
      return connection.write((statements) => {
        const swapped = statements.compareAndSwap(key, expectedVersion, value, index);
        if (swapped) watchers.wrote('key', key, expectedVersion + 1);
        return swapped;
      });
    },

    async *list(query) {
      let after: ListCursor | undefined;
      do {
        const page = await connection.read((statements) => statements.list(query, after));
        yield* page.records;
        after = page.next;
      } while (after !== undefined);
    },

    async append(stream, expectedSequence, values) {
      assertWellFormed({ stream });
      for (const value of values) assertWellFormed({ value });
      return connection.write((statements) => {
        const appended = statements.append(stream, expectedSequence, values);
        if (appended) watchers.wrote('stream', stream, expectedSequence + values.length - 1);
        return appended;
      });
    },

    async *read(stream, fromSequence) {
      let from: number | undefined = fromSequence;
      while (from !== undefined) {
        const start: number = from;
        const page = await connection.read((statements) => statements.read(stream, start));
        yield* page.entries;
        from = page.next;
      }
    },

    last: (stream) => connection.read((statements) => statements.last(stream)),

    forget: (key, version) =>
      connection.write((statements) => {
        const forgotten = statements.forget(key, version);
        if (forgotten) watchers.wrote('key', key, 0);
        return forgotten;
      }),

    trim: (stream, fromSequence) =>
      connection.write((statements) => statements.trim(stream, fromSequence)),

    watchesByPolling: true,

    watch(target, wake) {
      connection.assertOpen();
      const watcher = watchers.add(target, wake);
      // A file that cannot be opened is reported by the operations; a watch is only a hint.
      if (connection.statements === undefined) connection.open().catch(() => undefined);
      return watcher;
    },

    async close() {
      watchers.clear();
      await connection.close();
    },
  };
}

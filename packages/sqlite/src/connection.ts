import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { StoreError } from '@outlive/core';
import { openDatabase } from './open-database.ts';
import { isBusy, storeErrorFrom } from './sqlite-error.ts';
import { prepareStatements, type Statements } from './statements.ts';
import { commitAlone, commitTogether, createWriteQueue, oldest } from './write-queue.ts';

const firstDelayMs = 1;
const longestDelayMs = 25;

/** This process's connection to the file: opened by the first operation, and patient without blocking. */
export interface Connection {
  /** The statements, once the file is open. */
  readonly statements: Statements | undefined;
  /** Opens the file, if it is not open. */
  open(): Promise<Statements>;
  read<T>(operation: (statements: Statements) => T): Promise<T>;
  write<T>(operation: (statements: Statements) => T): Promise<T>;
  /** @throws StoreError `unavailable` once closed. */
  assertOpen(): void;
  close(): Promise<void>;
}

/** @param busyTimeoutMs how long an operation waits for the lock of another connection. */
export function createConnection(path: string, busyTimeoutMs: number): Connection {
  let database: DatabaseSync | undefined;
  let statements: Statements | undefined;
  let opening: Promise<Statements> | undefined;
  const writes = createWriteQueue(async (batch) => {
    const ready = statements ?? (await open());
    const together = (): boolean =>
      database !== undefined && batch.length > 1 && commitTogether(database, ready, batch);
    if (await patiently(together, oldest(batch))) return;
    for (const write of batch)
      try {
        await patiently(() => commitAlone(ready, write), write.startedAt);
      } catch (error) {
        write.fail(error);
      }
  });
  let closing: Promise<void> | undefined;

  const assertOpen = (): void => {
    if (closing !== undefined)
      throw new StoreError('unavailable', `The store on ${path} is closed; nothing was done.`);
  };

  /** Repeats `attempt` while another connection holds the lock; a busy attempt has changed nothing. */
  const patiently = async <T>(attempt: () => T, startedAt: number): Promise<T> => {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
      try {
        assertOpen();
        return attempt();
      } catch (error) {
        if (!isBusy(error)) throw storeErrorFrom(error, path);
        const leftMs = busyTimeoutMs - (performance.now() - startedAt);
        if (leftMs <= 0) throw stillBusy(path, busyTimeoutMs, error);
        // Jitter, so that waiting processes do not come back in step.
        await wait(Math.min(leftMs, delayMs * (0.5 + Math.random())));
      }
    }
  };

  const open = async (): Promise<Statements> => {
    assertOpen();
    if (statements !== undefined) return statements;
    opening ??= patiently(() => {
      const opened = openDatabase(path);
      try {
        statements = prepareStatements(opened);
      } catch (error) {
        opened.close();
        throw error;
      }
      database = opened;
      return statements;
    }, performance.now()).finally(() => {
      opening = undefined;
    });
    return opening;
  };

  return {
    get statements() {
      return statements;
    },
    open,

    async read(operation) {
      const ready = statements ?? (await open());
      return patiently(() => operation(ready), performance.now());
    },

    write: (operation) => writes.add(operation),

    close() {
      closing ??= (async () => {
        // Whatever waits for a lock stops at its next attempt, having written nothing.
        await Promise.allSettled([opening, writes.idle()]);
        statements = undefined;
        if (database === undefined) return;
        try {
          database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        } catch {
          // Nothing is lost: the log stays beside the file, and whoever opens it next reads it.
        }
        database.close();
      })();
      return closing;
    },

    assertOpen,
  };
}

function stillBusy(path: string, busyTimeoutMs: number, cause: unknown): StoreError {
  return new StoreError(
    'unavailable',
    `Another connection kept ${path} locked for ${busyTimeoutMs} ms; nothing was written. Try again ` +
      'later; look for a process that holds a transaction open (a backup, a shell), or raise busyTimeoutMs.',
    { cause },
  );
}

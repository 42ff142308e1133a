import { setTimeout as wait } from 'node:timers/promises';
import { StoreError } from '@outlive/core';
import { createDeadline, type Deadline } from './deadline.ts';
import {
  connectionError,
  endsConnection,
  isConflict,
  isOutcomeUnknown,
  isPassing,
  noAnswer,
  noConnection,
  storeErrorFrom,
} from './postgres-error.ts';
import type { PostgresPool, PostgresPoolClient } from './postgres-pool.ts';

const firstDelayMs = 20;
const longestDelayMs = 500;

/** What is done with a client that the pool lent. */
export type Operation<T> = (client: PostgresPoolClient) => Promise<T>;

/** The store's use of the pool: each operation borrows a client, for a bounded time. */
export interface Session {
  /** For what changes nothing: it is repeated on another connection until the time is up. */
  read<T>(operation: Operation<T>): Promise<T>;
  /** For one statement that changes something: it is sent again only if the server said that it rolled it back. */
  write<T>(operation: Operation<T>): Promise<T>;
  /** @throws StoreError `unavailable` once closed. */
  assertOpen(): void;
  close(): void;
}

/**
 * @param prepare is done once, before the first operation; again if it fails.
 * @param timeoutMs how long an operation may take in all.
 */
export function createSession(parts: {
  readonly pool: PostgresPool;
  readonly prepare: Operation<void>;
  readonly timeoutMs: number;
}): Session {
  const { pool, timeoutMs } = parts;
  let prepared: Promise<void> | undefined;
  let closed = false;

  guardPool(pool);

  const assertOpen = (): void => {
    if (closed)
      throw new StoreError('unavailable', 'This Postgres store is closed; nothing was done.');
  };

  const prepare = async (deadline: Deadline): Promise<void> => {
    // All that wait for it share the time of the first.
    prepared ??= attempt(parts.prepare, deadline, isWorthRepeating);
    try {
      await prepared;
    } catch (error) {
      prepared = undefined;
      throw error;
    }
  };

  /** Runs `operation`, again after an error that `mayRepeat` allows to repeat. */
  const attempt = async <T>(
    operation: Operation<T>,
    deadline: Deadline,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> => {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
      let client: PostgresPoolClient | undefined;
      try {
        assertOpen();
        client = await borrow(pool, deadline);
        return await withClient(client, operation, deadline);
      } catch (error) {
        const sent = client !== undefined;
        const repeatable =
          !(error instanceof StoreError) && (sent ? mayRepeat(error) : isPassing(error));
        if (!repeatable || closed || deadline.leftMs() <= delayMs)
          throw sent ? storeErrorFrom(error) : connectionError(error, timeoutMs);
        // Jitter, so that processes do not come back in step.
        await wait(delayMs * (0.5 + Math.random()));
      }
    }
  };

  const run = async <T>(
    operation: Operation<T>,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> => {
    assertOpen();
    const deadline = createDeadline(timeoutMs);
    await prepare(deadline);
    return attempt(operation, deadline, mayRepeat);
  };

  return {
    read: (operation) => run(operation, isWorthRepeating),
    write: (operation) => run(operation, isConflict),
    assertOpen,
    close() {
      closed = true;
    },
  };
}

/** Of what may be done twice. */
function isWorthRepeating(error: unknown): boolean {
  return isConflict(error) || isOutcomeUnknown(error);
}

const guarded = new WeakSet<PostgresPool>();

/**
 * A connection that breaks while nobody uses it, or just as it is lent, says so by an event alone, which would end the process
 * where nobody listens. The pool replaces it, and a statement on it fails by itself.
 */
function guardPool(pool: PostgresPool): void {
  // Once for each pool, and for as long as it lives: it may outlive the store.
  if (guarded.has(pool)) return;
  guarded.add(pool);
  pool.on('error', ignoreEvent);
  pool.on('connect', (client) => client.on('error', ignoreEvent));
}

const ignoreEvent = (): void => undefined;

/** A client of the pool, or an error after which nothing will be sent. */
async function borrow(pool: PostgresPool, deadline: Deadline): Promise<PostgresPoolClient> {
  const borrowing = pool.connect();
  let isLate = false;
  try {
    return await deadline.limit(borrowing, () => {
      isLate = true;
      return noConnection(deadline.totalMs);
    });
  } finally {
    // What comes too late is given back unused; if nothing comes, there is nothing to give back.
    if (isLate)
      void borrowing.then(
        (client) => client.release(),
        () => undefined,
      );
  }
}

async function withClient<T>(
  client: PostgresPoolClient,
  operation: Operation<T>,
  deadline: Deadline,
): Promise<T> {
  // Of a client that was connected before the store was made: a connection that breaks says so by the statement too.
  client.on('error', ignoreEvent);
  let broken: Error | undefined;
  try {
    return await deadline.limit(operation(client), () => {
      broken = noAnswer(deadline.totalMs);
      return broken;
    });
  } catch (error) {
    if (error instanceof Error && endsConnection(error)) broken = error;
    throw error;
  } finally {
    // Whoever waits for an answer that does not come must give the connection up, or the pool would run empty.
    client.release(broken);
    client.removeListener('error', ignoreEvent);
  }
}

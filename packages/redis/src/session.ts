import { setTimeout as wait } from 'node:timers/promises';
import { StoreError } from '@outlive/core';
import type { RedisConnection, RedisConnector } from './redis-connection.ts';
import { endsConnection, isPassing, replyCode, storeErrorFrom } from './redis-error.ts';

const firstDelayMs = 20;
const longestDelayMs = 500;

/** How long a server that says it is a replica may be one that a failover is about to replace. */
const failoverMs = 2000;

/** What is done with a connection. The errors of its commands come out of it, unless they are part of the answer. */
export type Operation<T> = (connection: RedisConnection) => Promise<T>;

/** The store's connection for commands: opened when needed, replaced when lost, and never waited for too long. */
export interface Session {
  /** For what changes nothing: it is repeated on a new connection until the time is up. */
  read<T>(operation: Operation<T>): Promise<T>;
  /** For what changes something: once it may have reached the server, a lost connection is an error. */
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
  readonly connector: RedisConnector;
  readonly prepare: Operation<void>;
  readonly timeoutMs: number;
}): Session {
  const { connector, timeoutMs } = parts;
  let current: RedisConnection | undefined;
  let prepared: Promise<void> | undefined;
  let closed = false;

  const assertOpen = (): void => {
    if (closed)
      throw new StoreError('unavailable', 'This Redis store is closed; nothing was done.');
  };

  /** Gives `connection` up, whoever else still uses it: what they wait for will not come. */
  const discard = (connection: RedisConnection): void => {
    if (current === connection) current = undefined;
    connection.destroy();
  };

  const opened = (): RedisConnection => {
    assertOpen();
    current ??= connector.open();
    return current;
  };

  const open = async (deadline: Deadline): Promise<RedisConnection> => {
    const usable = current;
    if (usable?.isUsable) return usable;
    const connection = opened();
    try {
      await deadline.limit(connection.ready, () => notReached(timeoutMs, connection.lastError));
      if (connection.isUsable) return connection;
    } catch (error) {
      discard(connection);
      throw error;
    }
    // It was open once and is not now.
    discard(connection);
    return open(deadline);
  };

  const prepare = async (connection: RedisConnection): Promise<void> => {
    prepared ??= parts.prepare(connection);
    try {
      await prepared;
    } catch (error) {
      prepared = undefined;
      throw error;
    }
  };

  const run = async <T>(operation: Operation<T>, repeatable: boolean): Promise<T> => {
    const deadline = createDeadline(timeoutMs);
    const afterFailoverMs = timeoutMs - Math.min(failoverMs, timeoutMs / 2);
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, longestDelayMs)) {
      let connection: RedisConnection | undefined;
      let begun = false;
      try {
        connection = await open(deadline);
        await deadline.limit(prepare(connection), () => notReached(timeoutMs, undefined));
        begun = true;
        return await deadline.limit(operation(connection), () => noAnswer(timeoutMs));
      } catch (error) {
        if (!begun) assertOpen();
        // A server that stopped answering may never close the connection: the next operation gets a new one.
        const lost =
          deadline.leftMs() <= 0 || (!(error instanceof StoreError) && endsConnection(error));
        if (connection !== undefined && lost) discard(connection);
        const code = replyCode(error);
        const mayRepeat =
          code === undefined
            ? repeatable || !begun
            : isPassing(error) || (code === 'READONLY' && deadline.leftMs() > afterFailoverMs);
        if (closed || error instanceof StoreError || !mayRepeat || deadline.leftMs() <= delayMs)
          throw begun ? storeErrorFrom(error) : openingError(error, timeoutMs);
        // Jitter, so that processes do not come back in step.
        await wait(delayMs * (0.5 + Math.random()));
      }
    }
  };

  return {
    read: (operation) => run(operation, true),
    write: (operation) => run(operation, false),
    assertOpen,
    close() {
      closed = true;
      if (current !== undefined) discard(current);
    },
  };
}

function openingError(error: unknown, timeoutMs: number): unknown {
  return replyCode(error) === undefined && !(error instanceof StoreError)
    ? notReached(timeoutMs, error)
    : storeErrorFrom(error);
}

function notReached(timeoutMs: number, cause: unknown): StoreError {
  const why = cause instanceof Error ? ` (${cause.message})` : '';
  return new StoreError(
    'unavailable',
    `Redis could not be reached within ${timeoutMs} ms${why}; nothing was written. Check that it runs and that the ` +
      'client has the right address.',
    { cause },
  );
}

function noAnswer(timeoutMs: number): StoreError {
  return new StoreError(
    'unavailable',
    `Redis did not answer within ${timeoutMs} ms. A write may or may not have happened: read again.`,
  );
}

interface Deadline {
  leftMs(): number;
  /** `promise`, or the error that `late` makes when the time is up. */
  limit<T>(promise: Promise<T>, late: () => StoreError): Promise<T>;
}

function createDeadline(timeoutMs: number): Deadline {
  const until = performance.now() + timeoutMs;
  const leftMs = (): number => until - performance.now();
  return {
    leftMs,
    limit: (promise, late) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(late()), Math.max(0, leftMs()));
        void promise.then(resolve, reject).finally(() => clearTimeout(timer));
      }),
  };
}

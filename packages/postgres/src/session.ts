import {
  createSession,
  type Deadline,
  type Failure,
  type Operation,
  type Session,
} from '@outlive/core/driver';
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

/**
 * The store's use of the pool: each attempt borrows a client.
 *
 * @param prepare is done once, before the first operation; again if it fails.
 * @param timeoutMs how long an operation may take in all.
 */
export function createPostgresSession(parts: {
  readonly pool: PostgresPool;
  readonly prepare: Operation<PostgresPoolClient, void>;
  readonly timeoutMs: number;
}): Session<PostgresPoolClient> {
  const { pool, prepare, timeoutMs } = parts;
  guardPool(pool);
  return createSession<PostgresPoolClient>({
    server: 'Postgres',
    timeoutMs,
    connect: (deadline) => borrow(pool, deadline),
    prepare,
    release(client, failure) {
      // Whoever waits for an answer that does not come must give the connection up, or the pool would run empty.
      client.release(failure && brokenBy(failure));
      client.removeListener('error', ignoreEvent);
    },
    mayRepeat: ({ stage, error }) =>
      stage === 'connect'
        ? isPassing(error)
        : isConflict(error) || (stage !== 'write' && isOutcomeUnknown(error)),
    errorFrom({ stage, error, isLate }) {
      if (stage === 'connect') return connectionError(error, timeoutMs);
      return isLate ? noAnswer(timeoutMs) : storeErrorFrom(error);
    },
  });
}

function brokenBy({ error, isLate }: Failure): Error | undefined {
  return error instanceof Error && (isLate || endsConnection(error)) ? error : undefined;
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
    const client = await deadline.limit(borrowing, () => {
      isLate = true;
      return noConnection(deadline.totalMs);
    });
    // Of a client that was connected before the store was made: a connection that breaks says so by the statement too.
    client.on('error', ignoreEvent);
    return client;
  } finally {
    // What comes too late is given back unused; if nothing comes, there is nothing to give back.
    if (isLate)
      void borrowing.then(
        (client) => client.release(),
        () => undefined,
      );
  }
}

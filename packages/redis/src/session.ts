import { StoreError } from '@outlive/core';
import {
  createSession,
  type Operation as DriverOperation,
  type Failure,
  type Session,
} from '@outlive/core/driver';
import { createLiveConnection } from './live-connection.ts';
import type { RedisConnection, RedisConnector } from './redis-connection.ts';
import {
  endsConnection,
  isPassing,
  noAnswer,
  notReached,
  replyCode,
  storeErrorFrom,
} from './redis-error.ts';

/** How long a server that says it is a replica may be one that a failover is about to replace. */
const failoverMs = 2000;

/** What is done with a connection. The errors of its commands come out of it, unless they are part of the answer. */
export type Operation<T> = DriverOperation<RedisConnection, T>;

/**
 * The store's use of its one connection for commands.
 *
 * @param prepare is done once, before the first operation; again if it fails.
 * @param timeoutMs how long an operation may take in all.
 */
export function createRedisSession(parts: {
  readonly connector: RedisConnector;
  readonly prepare: Operation<void>;
  readonly timeoutMs: number;
}): Session<RedisConnection> {
  const { connector, prepare, timeoutMs } = parts;
  const live = createLiveConnection(connector);
  const patienceMs = Math.min(failoverMs, timeoutMs / 2);
  const session = createSession<RedisConnection>({
    server: 'Redis',
    timeoutMs,
    connect: live.connect,
    prepare,
    release(connection, failure) {
      // A server that stopped answering may never close the connection: the next operation gets a new one.
      if (failure?.isLate || (failure && endsConnection(failure.error))) live.discard(connection);
    },
    mayRepeat({ error, stage, leftMs }) {
      const code = replyCode(error);
      if (code === undefined) return stage !== 'write';
      return isPassing(error) || (code === 'READONLY' && leftMs > timeoutMs - patienceMs);
    },
    errorFrom: (failure) => errorFrom(failure, timeoutMs),
  });
  return {
    ...session,
    close() {
      session.close();
      live.close();
    },
  };
}

function errorFrom({ error, stage, isLate }: Failure, timeoutMs: number): unknown {
  if (error instanceof StoreError) return error;
  const isBegun = stage === 'read' || stage === 'write';
  if (isLate) return isBegun ? noAnswer(timeoutMs) : notReached(timeoutMs, undefined);
  const isUnreachable = !isBegun && replyCode(error) === undefined;
  return isUnreachable ? notReached(timeoutMs, error) : storeErrorFrom(error);
}

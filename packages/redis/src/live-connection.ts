import { StoreError } from '@outlive/core';
import type { Deadline } from '@outlive/core/driver';
import type { RedisConnection, RedisConnector } from './redis-connection.ts';
import { notReached } from './redis-error.ts';

/** The one connection that all operations share: opened when it is needed, replaced when it is lost. */
export interface LiveConnection {
  /** A connection that is open. @throws what kept it from being opened. */
  connect(deadline: Deadline): Promise<RedisConnection>;
  /** Gives `connection` up, whoever else still uses it: what they wait for will not come. */
  discard(connection: RedisConnection): void;
  /** Gives up what there is; no other one is opened. */
  close(): void;
}

/** Opens nothing yet. */
export function createLiveConnection(connector: RedisConnector): LiveConnection {
  let current: RedisConnection | undefined;
  const discarded = new WeakSet<RedisConnection>();
  /** Why the one before could not be opened: the next one may run out of time before it says why. */
  let lastError: unknown;
  let closed = false;

  const opened = (): RedisConnection => {
    if (closed) throw new StoreError('unavailable', 'The connection to Redis was given up.');
    current ??= connector.open();
    return current;
  };

  const discard = (connection: RedisConnection): void => {
    if (current === connection) current = undefined;
    // All operations that shared it come here: the libraries do not take it well to be told so again and again.
    if (discarded.has(connection)) return;
    discarded.add(connection);
    connection.destroy();
  };

  const connect = async (deadline: Deadline): Promise<RedisConnection> => {
    if (current?.isUsable) return current;
    const connection = opened();
    try {
      await deadline.limit(connection.ready, () =>
        notReached(deadline.totalMs, connection.lastError ?? lastError),
      );
      lastError = undefined;
      if (connection.isUsable) return connection;
    } catch (error) {
      lastError = connection.lastError ?? lastError;
      discard(connection);
      throw error;
    }
    // It was open once and is not now.
    discard(connection);
    return connect(deadline);
  };

  return {
    connect,
    discard,
    close() {
      closed = true;
      if (current !== undefined) discard(current);
    },
  };
}

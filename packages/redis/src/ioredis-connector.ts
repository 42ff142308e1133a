import { EventEmitter } from 'node:events';
import { openingOf } from './opening.ts';
import type { IoRedisClient, IoRedisCluster } from './redis-client.ts';
import {
  type Command,
  type Outcome,
  outcomesOf,
  type RedisConnection,
  type RedisConnector,
  type RedisSubscriber,
  type SubscriberEvents,
} from './redis-connection.ts';

/**
 * Never connects again by itself, and so never sends a command again: a repeated swap would find the version that it
 * had written itself, and answer that it lost. The rest undoes what would change the meaning of commands and replies.
 */
const sendOnce = {
  lazyConnect: true,
  retryStrategy: null,
  reconnectOnError: null,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  commandTimeout: undefined,
  stringNumbers: false,
};

/** The same for a cluster. The queue only holds what waits for a node's first connection. */
const sendOnceInCluster = {
  lazyConnect: true,
  clusterRetryStrategy: () => null,
  clusterNodeRetryStrategy: null,
  retryDelayOnFailover: 0,
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  scaleReads: 'master',
  redisOptions: { reconnectOnError: null, commandTimeout: undefined, stringNumbers: false },
};

/** Connections of ioredis. */
export function ioRedisConnector(template: IoRedisClient): RedisConnector {
  return {
    open: () => connectionOf(template.duplicate(sendOnce)),
    openSubscriber: (events) =>
      // Its own handshake is done before it subscribes; the queue keeps what comes in between.
      subscriberOf(template.duplicate({ ...sendOnce, enableOfflineQueue: true }), events),
  };
}

/** Connections of ioredis to a cluster. */
export function ioRedisClusterConnector(template: IoRedisCluster): RedisConnector {
  return {
    open: () => connectionOf(template.duplicate([], sendOnceInCluster)),
    openSubscriber: (events) => subscriberOf(template.duplicate([], sendOnceInCluster), events),
  };
}

function connectionOf(client: IoRedisClient | IoRedisCluster): RedisConnection {
  const sendTogether = async (commands: readonly Command[]): Promise<readonly Outcome[]> => {
    const pipeline = client.pipeline();
    for (const [name = '', ...args] of commands) pipeline.call(name, args);
    const outcomes = await pipeline.exec();
    return (outcomes ?? []).map(([error, reply]) => (error ? { error } : { reply }));
  };
  const opening = openingOf(client);
  guardSocket(client);
  return {
    ready: opening.ready,
    get isUsable() {
      return client.status === 'ready';
    },
    get lastError() {
      return opening.lastError;
    },
    send: (commands) =>
      commands.length === 1
        ? outcomesOf(commands.map(([name = '', ...args]) => client.call(name, args)))
        : sendTogether(commands),
    // A cluster sends a pipeline to the node of its keys, with the commands in it that have none.
    sendTogether,
    destroy: () => destroy(client),
  };
}

function subscriberOf(
  client: IoRedisClient | IoRedisCluster,
  events: SubscriberEvents,
): RedisSubscriber {
  client.on('message', (channel) => events.message(String(channel)));
  client.on('end', events.lost);
  guardSocket(client);
  return {
    ready: openingOf(client).ready,
    async subscribe(channel) {
      await client.subscribe(channel);
    },
    async unsubscribe(channel) {
      await client.unsubscribe(channel);
    },
    destroy: () => destroy(client),
  };
}

/**
 * The library listens for the first error of a socket alone. A second one, such as a TLS alert after a certificate that was
 * refused, would end the process.
 */
function guardSocket(client: IoRedisClient | IoRedisCluster): void {
  client.on('error', () => ignoreErrorsOfSocket(client));
}

function destroy(client: IoRedisClient | IoRedisCluster): void {
  ignoreErrorsOfSocket(client);
  client.disconnect();
}

const guarded = new WeakSet<EventEmitter>();

function ignoreErrorsOfSocket(client: IoRedisClient | IoRedisCluster): void {
  const socket: unknown = Reflect.get(client, 'stream');
  if (!(socket instanceof EventEmitter) || guarded.has(socket)) return;
  guarded.add(socket);
  socket.on('error', () => undefined);
}

import { ioRedisClusterConnector, ioRedisConnector } from './ioredis-connector.ts';
import { nodeRedisClusterConnector, nodeRedisConnector } from './node-redis-connector.ts';
import type {
  IoRedisClient,
  IoRedisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  RedisClient,
} from './redis-client.ts';
import type { RedisConnector } from './redis-connection.ts';

/** Whether `value` has the shape of a client that the store knows. */
export function isRedisClient(value: unknown): value is RedisClient {
  return isIoRedis(value) || isNodeRedisCluster(value) || isNodeRedis(value);
}

/** The key prefix that the client itself is set to, which the store must not use: it has its own. */
export function keyPrefixOf(client: RedisClient): string | undefined {
  for (const holder of [client, 'options' in client ? client.options : {}])
    for (const name of ['keyPrefix', '_keyPrefix']) {
      const prefix: unknown = Reflect.get(holder, name);
      if (typeof prefix === 'string' && prefix !== '') return prefix;
    }
  return undefined;
}

/**
 * Recognizes the client by its methods, since the store depends on neither library.
 *
 * @param key any key of the store.
 */
export function connectorOf(client: RedisClient, key: string): RedisConnector {
  if (isIoRedis(client))
    return isIoRedisCluster(client) ? ioRedisClusterConnector(client) : ioRedisConnector(client);
  if (isNodeRedisCluster(client)) return nodeRedisClusterConnector(client, key);
  return nodeRedisConnector(client);
}

function isIoRedis(value: unknown): value is IoRedisClient | IoRedisCluster {
  return hasMethods(value, 'duplicate', 'call', 'pipeline', 'disconnect');
}

function isIoRedisCluster(client: IoRedisClient | IoRedisCluster): client is IoRedisCluster {
  return client.isCluster;
}

function isNodeRedisCluster(value: unknown): value is NodeRedisCluster {
  return hasMethods(value, 'duplicate', 'sendCommand', 'nodeClient', 'subscribe');
}

/** A pool or a Sentinel client of node-redis has no `isReady` of its own or no `subscribe` of one connection. */
function isNodeRedis(value: unknown): value is NodeRedisClient {
  return (
    hasMethods(value, 'duplicate', 'sendCommand', 'subscribe', 'destroy') &&
    !hasMethods(value, 'acquire') &&
    !hasMethods(value, 'execute')
  );
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    names.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

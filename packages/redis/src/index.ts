export type {
  IoRedisClient,
  IoRedisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  RedisClient,
} from './redis-client.ts';
export type { RedisStoreOptions } from './redis-options.ts';
export { redisStore } from './redis-store.ts';

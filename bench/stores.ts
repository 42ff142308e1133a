import { join } from 'node:path';
import { memoryStore, type Store } from '@outlive/core';
import { redisStore } from '@outlive/redis';
import { sqliteStore } from '@outlive/sqlite';
import { Redis } from 'ioredis';
import { type RedisServer, redisServer } from '../test/servers/redis-server.ts';

/** A store as benchmarks run it. To measure another one, add it to {@link stores}. */
export interface BenchStore {
  /** Who may share it. */
  readonly sharedBy: 'nobody' | 'processes';
  /** Where its records go, for {@link BenchStore.open}. Started once, in the benchmark's own process. */
  start(folder: string): Promise<StorePlace>;
  /** Called in each process that uses the store, with what {@link StorePlace} says. */
  open(place: string): Store;
}

/** A place for records: a file, a server. */
export interface StorePlace extends AsyncDisposable {
  readonly place: string;
}

/** The stores, by the name that options and figures use. */
export const stores = {
  memory: {
    sharedBy: 'nobody',
    start: async () => nothingToStop(''),
    open: () => memoryStore(),
  },
  sqlite: {
    sharedBy: 'processes',
    start: async (folder) => nothingToStop(join(folder, 'store.db')),
    open: (path) => sqliteStore({ path }),
  },
  redis: {
    sharedBy: 'processes',
    start: startRedis,
    open: (url) => redisStore({ client: new Redis(url, { lazyConnect: true }), prefix: runPrefix }),
  },
} as const satisfies Readonly<Record<string, BenchStore>>;

/** Name of a store. */
export type StoreName = keyof typeof stores;

/** Keys of benchmarks on a Redis that others use too. */
const runPrefix = 'outlive-bench';

/** The Redis that REDIS_URL names, or one of the benchmark's own, which writes to its disk before it answers. */
export async function startRedis(): Promise<StorePlace> {
  const server: RedisServer = await redisServer();
  return { place: server.url, [Symbol.asyncDispose]: () => server.stop() };
}

function nothingToStop(place: string): StorePlace {
  return { place, [Symbol.asyncDispose]: async () => undefined };
}

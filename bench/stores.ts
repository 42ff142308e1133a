import { join } from 'node:path';
import { memoryStore, type Store } from '@outlive/core';
import { postgresStore } from '@outlive/postgres';
import { redisStore } from '@outlive/redis';
import { sqliteStore } from '@outlive/sqlite';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { postgresServer } from '../test/servers/postgres-server.ts';
import { redisServer } from '../test/servers/redis-server.ts';

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
    start: async () => stopped(await redisServer()),
    open: (url) =>
      redisStore({ client: new Redis(url, { lazyConnect: true }), prefix: 'outlive-bench' }),
  },
  postgres: {
    sharedBy: 'processes',
    start: async () => stopped(await postgresServer()),
    open(url) {
      const pool = new Pool({ connectionString: url });
      const store = postgresStore({ pool, listen: url, schema: 'outlive_bench' });
      return {
        ...store,
        async close() {
          await store.close();
          await pool.end();
        },
      };
    },
  },
} as const satisfies Readonly<Record<string, BenchStore>>;

/** Name of a store. */
export type StoreName = keyof typeof stores;

function stopped(server: { readonly url: string; stop(): Promise<void> }): StorePlace {
  return { place: server.url, [Symbol.asyncDispose]: () => server.stop() };
}

function nothingToStop(place: string): StorePlace {
  return { place, [Symbol.asyncDispose]: async () => undefined };
}

/** Opens the store of this name, in a process that was told it. @throws {TypeError} when there is none. */
export function openStore(name: string, place: string): Store {
  const found = Object.entries(stores).find(([known]) => known === name)?.[1];
  if (found === undefined) throw new TypeError(`there is no store ${name}`);
  return found.open(place);
}

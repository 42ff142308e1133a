import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import type { RedisClient } from '../src/index.ts';

/** The clients that a store may be given, by the name of their library; none of them is connected. */
export const clientsOf: Readonly<Record<string, (url: string) => RedisClient>> = {
  'node-redis': (url) => createClient({ url }),
  ioredis: (url) => new Redis(url, { lazyConnect: true }),
};

/** The same for a cluster, of which `urls` are some nodes. */
export const clusterClientsOf: Readonly<Record<string, (urls: readonly string[]) => RedisClient>> =
  {
    'node-redis': (urls) => createCluster({ rootNodes: urls.map((url) => ({ url })) }),
    ioredis: (urls) =>
      new Cluster(
        urls.map((url) => url),
        { lazyConnect: true },
      ),
  };

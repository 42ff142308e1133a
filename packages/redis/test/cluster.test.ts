import type { Store } from '@outlive/core';
import { storeContract } from '@outlive/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { redisCluster } from '../../../test/servers/redis-cluster.ts';
import { redisStore } from '../src/index.ts';
import { clusterClientsOf } from './clients.ts';

const cluster = await redisCluster();
afterAll(() => cluster.stop());
const urls = cluster.servers.map(({ url }) => url);

for (const [library, client] of Object.entries(clusterClientsOf))
  describe(`redisStore in a cluster of three masters, with ${library}`, () => {
    const prefixes = new WeakMap<Store, string>();
    const open = (prefix: string, warnings: string[] = []): Store => {
      const store = redisStore({
        client: client(urls),
        prefix,
        onWarning: (warning) => warnings.push(warning),
      });
      prefixes.set(store, prefix);
      return store;
    };
    // Each prefix is in a slot of its own, so the cases reach all three masters.
    const cases = storeContract({
      open: async () => open(`test-${crypto.randomUUID()}`),
      reopen: async (store) => open(prefixes.get(store) ?? ''),
    });
    for (const { name, run } of cases) it(name, run, 60_000);

    it('looks at the settings of the server that has its slot, and finds nothing to warn of', async () => {
      const warnings: string[] = [];
      for (let at = 0; at < 6; at += 1) {
        const store = open(`test-${at}`, warnings);
        expect(await store.get('key')).toBeUndefined();
        await store.close();
      }
      expect(warnings).toEqual([]);
    });
  });

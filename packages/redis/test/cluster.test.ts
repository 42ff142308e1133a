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

    it('waits for replicas of the master that has its slot', async () => {
      const store = redisStore({
        client: client(urls),
        prefix: `test-${crypto.randomUUID()}`,
        onWarning: () => undefined,
        requireReplicas: 1,
        timeoutMs: 2000,
      });
      // This cluster has no replicas.
      await expect(store.append('log', 1, ['entry'])).rejects.toThrow(/Fewer than 1 replicas/);
      await store.close();
    });

    it('looks at the settings of the server that has its slot, and finds nothing to warn of', async () => {
      const warnings: string[] = [];
      for (let at = 0; at < 6; at += 1) {
        const store = open(`test-${at}`, warnings);
        expect(await store.get('key')).toBeUndefined();
        await store.close();
      }
      expect(warnings).toEqual([]);
    });

    it('loses no acknowledged write, and repeats none, when a server of it is killed', async () => {
      const prefix = `test-${crypto.randomUUID()}`;
      const store = open(prefix);
      const acknowledged = new Map<number, string>();
      let at = 0;
      const appendUntil = async (count: number): Promise<void> => {
        for (; acknowledged.size < count; at += 1) {
          const next = ((await store.last('log'))?.sequence ?? 0) + 1;
          const value = `entry ${at}`;
          if (await store.append('log', next, [value])) acknowledged.set(next, value);
        }
      };
      const surelyAppend = async (count: number): Promise<void> => {
        while (acknowledged.size < count)
          await appendUntil(count).catch((error: unknown) => {
            at += 1;
            expect(error).toMatchObject({ code: 'unavailable' });
          });
      };
      await surelyAppend(10);
      for (const { process } of cluster.servers) {
        const appending = surelyAppend(acknowledged.size + 200);
        await process.restart('SIGKILL');
        await appending;
      }
      const entries = new Map<number, string>();
      for await (const { sequence, value } of store.read('log', 1)) entries.set(sequence, value);
      await store.close();
      for (const [sequence, value] of acknowledged) expect(entries.get(sequence)).toBe(value);
      expect(new Set(entries.values()).size).toBe(entries.size);
    }, 60_000);
  });

import type { Store } from '@outlive/core';
import { storeContract } from '@outlive/testing';
import { afterAll, describe, it } from 'vitest';
import { redisServer } from '../../../test/servers/redis-server.ts';
import { redisStore } from '../src/index.ts';
import { clientsOf } from './clients.ts';

const server = await redisServer();
afterAll(() => server.stop());

for (const [library, client] of Object.entries(clientsOf))
  describe(`redisStore keeps the store contract, with ${library}`, () => {
    const prefixes = new WeakMap<Store, string>();
    const open = (prefix: string): Store => {
      const store = redisStore({ client: client(server.url), prefix, onWarning: () => undefined });
      prefixes.set(store, prefix);
      return store;
    };
    const cases = storeContract({
      open: async () => open(`test-${crypto.randomUUID()}`),
      reopen: async (store) => open(prefixes.get(store) ?? ''),
    });
    for (const { name, run } of cases) it(name, run, 60_000);
  });

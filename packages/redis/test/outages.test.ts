import type { Store } from '@outlive/core';
import { storeOutageContract } from '@outlive/testing';
import { afterAll, describe, it } from 'vitest';
import { contractServer } from '../../../test/servers/contract-server.ts';
import { ownRedisServer } from '../../../test/servers/redis-server.ts';
import { redisStore } from '../src/index.ts';
import { clientsOf } from './clients.ts';

const server = await ownRedisServer();
afterAll(() => server.stop());

for (const [library, client] of Object.entries(clientsOf))
  describe(`redisStore survives outages, with ${library}`, () => {
    const prefixes = new WeakMap<Store, string>();
    const open = (prefix: string, port: number): Store => {
      const url = `redis://127.0.0.1:${port}`;
      const store = redisStore({ client: client(url), prefix, timeoutMs: 3000 });
      prefixes.set(store, prefix);
      return store;
    };
    const cases = storeOutageContract({
      open: async () => open(`test-${crypto.randomUUID()}`, server.process.port),
      reopenAt: async (store, port) => open(prefixes.get(store) ?? '', port),
      server: contractServer(server.process, (sent) => /evalsha/i.test(sent)),
    });
    for (const { name, run } of cases) it(name, run, 120_000);
  });

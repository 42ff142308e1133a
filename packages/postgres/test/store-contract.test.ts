import type { Store } from '@outlive/core';
import { storeContract } from '@outlive/testing';
import { Pool } from 'pg';
import { afterAll, describe, it } from 'vitest';
import { pgBouncer } from '../../../test/servers/pgbouncer-server.ts';
import { postgresServer } from '../../../test/servers/postgres-server.ts';
import { postgresStore } from '../src/index.ts';
import { newSchema } from './test-store.ts';

const server = await postgresServer();
// Two server connections for all clients: hardly ever do two statements of one client run on the same.
const bouncer = await pgBouncer(server, { default_pool_size: '2', max_client_conn: '200' });
afterAll(async () => {
  await bouncer.stop();
  await server.stop();
});

const ways = {
  'directly, told by its own connection': { url: server.url, listen: server.url },
  'directly, looking itself': { url: server.url, listen: undefined },
  'through PgBouncer by transaction, told by a direct connection': {
    url: bouncer.url,
    listen: server.url,
  },
  'through PgBouncer by transaction, looking itself': { url: bouncer.url, listen: undefined },
};

for (const [way, { url, listen }] of Object.entries(ways))
  describe(`postgresStore keeps the store contract, ${way}`, () => {
    const schemas = new WeakMap<Store, string>();
    const pools = new Set<Pool>();
    afterAll(() => Promise.all([...pools].map((pool) => pool.end())));

    /** A pool for each handle, as in a process of its own. */
    const open = (schema: string): Store => {
      const pool = new Pool({ connectionString: url, max: 3, idleTimeoutMillis: 500 });
      pools.add(pool);
      const store = postgresStore({ pool, listen, schema });
      schemas.set(store, schema);
      return store;
    };
    const cases = storeContract({
      open: async () => open(newSchema()),
      reopen: async (store) => open(schemas.get(store) ?? ''),
    });
    for (const { name, run } of cases) it(name, run, 120_000);
  });

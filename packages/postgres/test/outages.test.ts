import type { Store } from '@outlive/core';
import { storeOutageContract } from '@outlive/testing';
import { Pool } from 'pg';
import { afterAll, describe, it } from 'vitest';
import { contractServer } from '../../../test/servers/contract-server.ts';
import { pgBouncer } from '../../../test/servers/pgbouncer-server.ts';
import { ownPostgresServer } from '../../../test/servers/postgres-server.ts';
import { postgresStore } from '../src/index.ts';
import { newSchema } from './test-store.ts';

const server = await ownPostgresServer();
const bouncer = await pgBouncer(server, { server_login_retry: '0.2' });
afterAll(async () => {
  await bouncer.stop();
  await server.stop();
});

/** A process killed as a crash would leaves children behind that a new server has to wait for; this one ends them too. */
const crash = (): Promise<void> => server.process.end('SIGQUIT');

for (const [way, port] of Object.entries({
  directly: server.process.port,
  'through PgBouncer': bouncer.process.port,
}))
  describe(`postgresStore survives outages, ${way}`, () => {
    const schemas = new WeakMap<Store, string>();
    const pools = new Set<Pool>();
    afterAll(() => Promise.all([...pools].map((pool) => pool.end())));

    const open = (schema: string, at: number): Store => {
      const connectionString = `postgres://postgres@127.0.0.1:${at}/postgres`;
      const pool = new Pool({ connectionString, max: 3 });
      pools.add(pool);
      const store = postgresStore({ pool, schema, operationTimeoutMs: 3000 });
      schemas.set(store, schema);
      return store;
    };
    const isWrite = (sent: string): boolean => sent.includes('pg_notify');
    const cases = storeOutageContract({
      open: async () => open(newSchema(), port),
      reopenAt: async (store, at) => open(schemas.get(store) ?? '', at),
      server: { ...contractServer(server.process, isWrite), port, kill: crash },
    });
    for (const { name, run } of cases) it(name, run, 120_000);
  });

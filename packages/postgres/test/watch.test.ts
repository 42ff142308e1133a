import type { Store } from '@outlive/core';
import type { Pool } from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { pgBouncer } from '../../../test/servers/pgbouncer-server.ts';
import { ownPostgresServer } from '../../../test/servers/postgres-server.ts';
import { databaseOf, serverQuery } from './server-query.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

const server = await ownPostgresServer();
const bouncer = await pgBouncer(server);
afterAll(async () => {
  await bouncer.stop();
  await server.stop();
});

const index = { kind: 'grant' } as const;
/** Longer than any test: a store that polls at this rate wakes nobody in time. */
const never = 1_000_000;

/** Resolves at the first wake from now. */
function woken(store: Store, key: string): Promise<void> {
  return new Promise((resolve) => {
    const watch = store.watch?.({ keys: [key] }, () => {
      watch?.[Symbol.dispose]();
      resolve();
    });
  });
}

/** The connections that listen. */
async function listeners(): Promise<number> {
  const [row] = await serverQuery(
    server.url,
    "SELECT count(*)::int AS count FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'",
  );
  return Number(row?.['count']);
}

/** Asks `isBroken` about each look of the watchers that goes through `pool`; those it says so of fail. */
function breakLooks(pool: Pool, isBroken: () => boolean): void {
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    const broken = async (...args: unknown[]): Promise<unknown> =>
      String(args[0]).includes('UNION ALL') && isBroken() ? query('SELECT 1 / 0') : query(...args);
    Object.assign(client, { query: broken });
  });
}

describe('watch with a direct connection', () => {
  it('is told of writes through a pooler without ever polling', async () => {
    const schema = newSchema();
    const options = { schema, listen: server.url, watchPollMs: never };
    const store = testStore(bouncer.url, options);
    const other = testStore(bouncer.url, options);
    // The first look comes when the connection is known to hear.
    await woken(store, 'key');
    for (let version = 0; version < 5; version += 1) {
      const wake = woken(store, 'key');
      await other.compareAndSwap('key', version, 'value', index);
      await wake;
    }
  });

  it('leaves the watchers of other keys asleep, and wakes once for each write', async () => {
    const schema = newSchema();
    const store = testStore(server.url, { schema, listen: server.url, watchPollMs: never });
    const other = testStore(server.url, { schema });
    let wakes = 0;
    store.watch?.({ keys: ['mine'], streams: ['mine'] }, () => {
      wakes += 1;
    });
    await expect.poll(() => wakes).toBe(1);
    for (let version = 0; version < 5; version += 1) {
      const wake = woken(store, 'theirs');
      await other.compareAndSwap('theirs', version, 'value', index);
      await other.append('theirs', version + 1, ['entry']);
      await wake;
    }
    expect(wakes).toBe(1);
    // An own write is told twice, by its answer and by its notification.
    await store.compareAndSwap('mine', 0, 'value', index);
    const wake = woken(store, 'last');
    await other.compareAndSwap('last', 0, 'value', index);
    await wake;
    expect(wakes).toBe(2);
  });

  it('that is ended is opened again, and what was missed meanwhile wakes too', async () => {
    const schema = newSchema();
    const warnings: string[] = [];
    const store = testStore(server.url, {
      schema,
      listen: server.url,
      watchPollMs: never,
      onWarning: (message) => warnings.push(message),
    });
    const other = testStore(server.url, { schema });
    await woken(store, 'key');
    let wakes = 0;
    store.watch?.({ keys: ['key'] }, () => {
      wakes += 1;
    });
    await store.compareAndSwap('key', 0, 'value', index);
    await expect.poll(() => wakes).toBe(1);
    await serverQuery(
      server.url,
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
    );
    await other.compareAndSwap('key', 1, 'value', index);
    await expect.poll(() => wakes, { timeout: 10_000 }).toBe(2);
    await other.compareAndSwap('key', 2, 'value', index);
    await expect.poll(() => wakes, { timeout: 10_000 }).toBe(3);
    expect(warnings).toEqual([]);
  });

  it('works again after the server restarted', async () => {
    const schema = newSchema();
    const store = testStore(server.url, {
      schema,
      listen: server.url,
      watchPollMs: never,
      onWarning: () => undefined,
    });
    await woken(store, 'key');
    // Whoever watches now is woken by the look that comes when the connection is back.
    const back = woken(store, 'key');
    await server.process.restart();
    await back;
    const wake = woken(store, 'key');
    await testStore(server.url, { schema }).compareAndSwap('key', 0, 'value', index);
    await wake;
  });

  it('looks again where the look on a connection that is back fails: no notification tells what it missed', async () => {
    const schema = newSchema();
    let failed = 0;
    let isBroken = false;
    const pool = testPool(server.url);
    breakLooks(pool, () => {
      failed += Number(isBroken);
      return isBroken;
    });
    const store = testStore(server.url, { schema, pool, listen: server.url, watchPollMs: never });
    await woken(store, 'key');
    const back = woken(store, 'key');
    isBroken = true;
    await serverQuery(
      server.url,
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
    );
    await expect.poll(() => failed, { timeout: 10_000 }).toBeGreaterThan(0);
    isBroken = false;
    await back;
  });

  it('is one connection for all watchers, opened by the first and closed with the store', async () => {
    const store = testStore(server.url, { listen: server.url });
    const before = await listeners();
    await store.get('key');
    expect(await listeners()).toBe(before);
    for (let at = 0; at < 20; at += 1) store.watch?.({ keys: [`key ${at}`] }, () => undefined);
    await expect.poll(listeners).toBe(before + 1);
    await store.close();
    await expect.poll(listeners).toBe(before);
  });
});

describe('watch without notifications', () => {
  it('polls in one query while somebody watches, and asks nothing while nobody does', async () => {
    const schema = newSchema();
    const pool = testPool(server.url);
    let queries = 0;
    pool.on('acquire', () => {
      queries += 1;
    });
    const store = testStore(server.url, { schema, pool, watchPollMs: 10 });
    const other = testStore(server.url, { schema });
    await other.compareAndSwap('key 0', 0, 'value', index);
    const wakes = Array.from({ length: 50 }, () => 0);
    const watches = wakes.map((_, at) =>
      store.watch?.({ keys: [`key ${at}`] }, () => {
        wakes[at] = (wakes[at] ?? 0) + 1;
      }),
    );
    await expect.poll(() => wakes).toEqual(wakes.map(() => 1));
    expect(queries).toBeLessThan(20);
    await other.compareAndSwap('key 0', 1, 'value', index);
    await expect.poll(() => wakes[0]).toBe(2);
    expect(wakes[1]).toBe(1);
    for (const watch of watches) watch?.[Symbol.dispose]();
    // A look that had begun may still end.
    await expect.poll(() => pool.idleCount).toBe(pool.totalCount);
    const after = queries;
    for (let round = 0; round < 20; round += 1) await other.get('key');
    expect(queries).toBe(after);
  });

  for (const [why, url, reason] of [
    ['leads through PgBouncer', bouncer.url, /did not arrive: it leads through a pooler/],
    [
      'leads to another database',
      databaseOf(server.url, 'template1'),
      /did not arrive.*another database/,
    ],
    ['cannot be opened', 'postgres://postgres@127.0.0.1:1/postgres', /ECONNREFUSED/],
  ] as const)
    it(`says so, once, where the direct connection ${why}, and polls`, async () => {
      const schema = newSchema();
      const warnings: string[] = [];
      const store = testStore(server.url, {
        schema,
        listen: url,
        operationTimeoutMs: 500,
        onWarning: (message) => warnings.push(message),
      });
      const other = testStore(server.url, { schema });
      for (let version = 0; version < 3; version += 1) {
        const wake = woken(store, 'key');
        await other.compareAndSwap('key', version, 'value', index);
        await wake;
      }
      await expect.poll(() => warnings.length, { timeout: 10_000 }).toBe(1);
      expect(warnings[0]).toMatch(reason);
      expect(warnings[0]).toMatch(/it polls instead/);
    });

  it('is refused once the store is closed', async () => {
    const store = testStore(server.url);
    await store.close();
    expect(() => store.watch?.({ keys: ['key'] }, () => undefined)).toThrow(/is closed/);
  });
});

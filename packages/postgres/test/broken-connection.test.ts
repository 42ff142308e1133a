import { Client } from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { cuttableServer } from './cuttable-server.ts';
import { serverQuery } from './server-query.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

const { server, bouncer, proxy, proxyUrl } = await cuttableServer((sent) =>
  sent.includes('pg_notify'),
);

const index = { kind: 'grant' } as const;

/** A transaction of somebody else that holds the lock of a row, until it is told to end. */
async function lockRow(schema: string, key: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ended ??= client.end();
    return ended;
  };
  onTestFinished(end);
  await client.query('BEGIN');
  await client.query(`SELECT 1 FROM ${schema}.record WHERE key = $1 FOR UPDATE`, [key]);
  return end;
}

/** The backend that waits for a lock in the tables of `schema`, once it does. */
async function waitingBackend(schema: string): Promise<number> {
  const waiting = async (): Promise<unknown> => {
    const [row] = await serverQuery(
      server.url,
      `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`,
    );
    return row?.['pid'];
  };
  await expect.poll(waiting, { timeout: 10_000 }).toBeTypeOf('number');
  return Number(await waiting());
}

describe('a connection that breaks', () => {
  it('after the write arrived: the outcome is unknown, the write is there, and nobody sent it again', async () => {
    const store = testStore(proxyUrl);
    expect(await store.get('key')).toBeUndefined();
    proxy.cutNext('reply');
    const failure = await failureOf(store.compareAndSwap('key', 0, 'value', index));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/may or may not have happened: read again/);
    await expect.poll(() => store.get('key')).toEqual({ version: 1, value: 'value', index });
    proxy.cutNext('reply');
    expect((await failureOf(store.compareAndSwap('key', 1, 'next', index))).code).toBe(
      'unavailable',
    );
    await expect.poll(() => store.get('key')).toEqual({ version: 2, value: 'next', index });
  });

  it('before the write arrived: the outcome is unknown, nothing is there, and nobody sends it later', async () => {
    const store = testStore(proxyUrl);
    expect(await store.get('key')).toBeUndefined();
    proxy.cutNext('request');
    expect((await failureOf(store.compareAndSwap('key', 0, 'value', index))).code).toBe(
      'unavailable',
    );
    expect(await store.get('key')).toBeUndefined();
    expect(await store.compareAndSwap('key', 0, 'value', index)).toBe(true);
  });

  it('does the same to an append', async () => {
    const store = testStore(proxyUrl);
    expect(await store.last('log')).toBeUndefined();
    proxy.cutNext('request');
    expect((await failureOf(store.append('log', 1, ['lost']))).code).toBe('unavailable');
    proxy.cutNext('reply');
    expect((await failureOf(store.append('log', 1, ['entry']))).code).toBe('unavailable');
    await expect.poll(() => store.last('log')).toEqual({ sequence: 1, value: 'entry' });
  });

  it('ended by the server with a write in flight: the outcome is unknown, and the write never happens', async () => {
    const schema = newSchema();
    const store = testStore(server.url, { schema });
    await store.compareAndSwap('key', 0, 'one', index);
    const unlock = await lockRow(schema, 'key');
    const write = failureOf(store.compareAndSwap('key', 1, 'two', index));
    await serverQuery(
      server.url,
      `SELECT pg_terminate_backend(${await waitingBackend(schema)}, 5000)`,
    );
    const failure = await write;
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/57P01.*may or may not have happened: read again/);
    await unlock();
    expect((await store.get('key'))?.version).toBe(1);
    expect(await store.compareAndSwap('key', 1, 'three', index)).toBe(true);
  });

  it('ended in the same way behind PgBouncer: the same', async () => {
    const schema = newSchema();
    const store = testStore(bouncer.url, { schema });
    await store.compareAndSwap('key', 0, 'one', index);
    const unlock = await lockRow(schema, 'key');
    const write = failureOf(store.compareAndSwap('key', 1, 'two', index));
    await serverQuery(
      server.url,
      `SELECT pg_terminate_backend(${await waitingBackend(schema)}, 5000)`,
    );
    expect((await write).message).toMatch(/may or may not have happened: read again/);
    await unlock();
    expect((await store.get('key'))?.version).toBe(1);
    expect(await store.compareAndSwap('key', 1, 'three', index)).toBe(true);
  });

  it('ended again and again: reads come through', async () => {
    const schema = newSchema();
    const store = testStore(server.url, { schema });
    await store.compareAndSwap('key', 0, 'value', index);
    for (let at = 0; at < 15; at += 1) {
      const reads = Promise.all(Array.from({ length: 4 }, () => store.get('key')));
      await serverQuery(
        server.url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      );
      for (const read of await reads) expect(read?.value).toBe('value');
    }
  });
});

describe('a write that has to wait', () => {
  it('for the lock of a transaction left open ends with the answer that nothing was written, and nothing is later', async () => {
    const schema = newSchema();
    const store = testStore(server.url, { schema, operationTimeoutMs: 1000 });
    await store.compareAndSwap('key', 0, 'one', index);
    const unlock = await lockRow(schema, 'key');
    const failure = await failureOf(store.compareAndSwap('key', 1, 'two', index));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/55P03.*nothing was written.*left open/);
    await unlock();
    expect((await store.get('key'))?.version).toBe(1);
    expect(await store.compareAndSwap('key', 1, 'three', index)).toBe(true);
  });

  it('for a connection that others hold ends in time, and the pool is whole afterwards', async () => {
    const pool = testPool(server.url, { max: 1, connectionTimeoutMillis: 0 });
    const store = testStore(server.url, { pool, operationTimeoutMs: 500 });
    await store.compareAndSwap('key', 0, 'one', index);
    const borrowed = await pool.connect();
    const failure = await failureOf(store.compareAndSwap('key', 1, 'two', index));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/no connection.*within 500 ms.*nothing was written/);
    borrowed.release();
    expect(await store.get('key')).toMatchObject({ version: 1 });
    expect(pool.totalCount).toBe(1);
    expect(pool.waitingCount).toBe(0);
  });
});

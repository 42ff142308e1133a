import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { Store } from '@outlive/core';
import { Client } from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { cuttableServer } from './cuttable-server.ts';
import { serverQuery } from './server-query.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

const { server, bouncer, proxy, proxyUrl } = await cuttableServer(
  // Of many writes.
  (sent) => sent.includes('unnest') && sent.includes('pg_notify'),
);

const index = { kind: 'grant' } as const;
const names = Array.from({ length: 40 }, (_, at) => `key${at}`);

/** A store with a record of version 1 at each of `names`, and a connection that is open. */
async function storeWithRecords(url: string, schema: string): Promise<Store> {
  const store = testStore(url, { schema });
  await Promise.all(names.map((name) => store.compareAndSwap(name, 0, 'one', index)));
  return store;
}

/** How many transactions wrote the records as they are now. */
async function transactions(schema: string, version: number): Promise<number> {
  const [row] = await serverQuery(
    server.url,
    `SELECT count(DISTINCT xmin::text)::int AS count FROM ${schema}.record WHERE version = ${version}`,
  );
  return Number(row?.['count']);
}

/** A transaction of somebody else that holds the lock of a row, until it is told to end. */
async function lockRow(schema: string, key: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('BEGIN');
  await client.query(`SELECT 1 FROM ${schema}.record WHERE key = $1 FOR UPDATE`, [key]);
  return async () => {
    await client.query('ROLLBACK');
  };
}

describe('writes that wait at the same moment', () => {
  for (const [way, url] of Object.entries({
    directly: server.url,
    'through PgBouncer': bouncer.url,
  }))
    it(`share a commit, ${way}`, async () => {
      const schema = newSchema();
      const store = await storeWithRecords(url, schema);
      const changed = { kind: 'task', status: 'a "b" \\ {c}', subject: 's', dueAt: 1.5 } as const;
      const values = names.map((name) => `{"of":"${name}","quoted":"\\\\ , NULL"}`);
      const answers = await Promise.all(
        names.map((name, at) => store.compareAndSwap(name, 1, values[at] ?? null, changed)),
      );
      expect(answers).toEqual(names.map(() => true));
      for (const [at, name] of names.entries())
        expect(await store.get(name)).toEqual({ version: 2, value: values[at], index: changed });
      // The first leaves at once, those that come until its answer is there leave together.
      expect(await transactions(schema, 1)).toBe(0);
      expect(await transactions(schema, 2)).toBe(2);
    });

  it('get an answer each: made, swapped, deleted, lost, and in the order in which they were asked for', async () => {
    const schema = newSchema();
    const store = await storeWithRecords(server.url, schema);
    const answers = await Promise.all([
      store.compareAndSwap('key0', 1, 'first', index),
      store.compareAndSwap('key1', 1, null, index),
      store.compareAndSwap('key2', 2, 'too early', index),
      store.compareAndSwap('key3', 0, 'too late', index),
      store.compareAndSwap('new', 0, 'one', index),
      store.compareAndSwap('absent', 1, 'one', index),
      store.compareAndSwap('key1', 2, 'again', index),
      store.compareAndSwap('key1', 2, 'lost', index),
    ]);
    expect(answers).toEqual([true, true, false, false, true, false, true, false]);
    expect(await store.get('key1')).toEqual({ version: 3, value: 'again', index });
    expect(await store.get('key2')).toEqual({ version: 1, value: 'one', index });
    expect(await store.get('key3')).toEqual({ version: 1, value: 'one', index });
    expect(await store.get('new')).toEqual({ version: 1, value: 'one', index });
    expect(await store.get('absent')).toBeUndefined();
  });

  it('of one key are sent one after another, also where the first takes longer than others wait for it', async () => {
    const schema = newSchema();
    await storeWithRecords(server.url, schema);
    const pool = testPool(server.url);
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      const slow = async (...args: unknown[]): Promise<unknown> => {
        if (Array.isArray(args[1]) && args[1].includes('slow')) await wait(300);
        return query(...args);
      };
      Object.assign(client, { query: slow });
    });
    const store = testStore(server.url, { schema, pool });
    const answers = ['slow', 'quick'].map((value) => store.compareAndSwap('key0', 1, value, index));
    expect(await Promise.all(answers)).toEqual([true, false]);
    expect(await store.get('key0')).toMatchObject({ value: 'slow' });
  });

  it('are not kept waiting by one whose row is locked, whether it went before or with them', async () => {
    const schema = newSchema();
    const store = await storeWithRecords(server.url, schema);
    const unlockBefore = await lockRow(schema, 'key0');
    const unlockWith = await lockRow(schema, 'key1');
    const before = store.compareAndSwap('key0', 1, 'two', index);
    const others = names.slice(2).map((name) => store.compareAndSwap(name, 1, 'two', index));
    const together = store.compareAndSwap('key1', 1, 'two', index);
    expect(await Promise.all(others)).toEqual(others.map(() => true));
    expect(await Promise.all([store.get('key0'), store.get('key1')])).toEqual([
      { version: 1, value: 'one', index },
      { version: 1, value: 'one', index },
    ]);
    await Promise.all([unlockBefore(), unlockWith()]);
    expect(await Promise.all([before, together])).toEqual([true, true]);
  });

  it('do not fail for one that the server refuses', async () => {
    const schema = newSchema();
    const store = await storeWithRecords(server.url, schema);
    const tooLong = Array.from({ length: 200 }, () => crypto.randomUUID()).join();
    const good = names.map((name) => store.compareAndSwap(name, 1, 'two', index));
    const bad = store.compareAndSwap(tooLong, 0, 'one', index);
    await expect(bad).rejects.toThrow(RangeError);
    expect(await Promise.all(good)).toEqual(names.map(() => true));
  });

  it('wake whoever watches any of them', async () => {
    const schema = newSchema();
    const store = await storeWithRecords(server.url, schema);
    const watching = testStore(server.url, { schema, listen: server.url, watchPollMs: 60_000 });
    const woken = new Set<string>();
    for (const name of names) {
      const watch = watching.watch?.({ keys: [name] }, () => woken.add(name));
      onTestFinished(() => watch?.[Symbol.dispose]());
    }
    // Until the connection for notifications is there, and has looked.
    await expect
      .poll(async () => {
        const version = (await store.get('key0'))?.version ?? 0;
        await store.compareAndSwap('key0', version, 'more', index);
        return woken.has('key0');
      })
      .toBe(true);
    woken.clear();
    await Promise.all(names.slice(1).map((name) => store.compareAndSwap(name, 1, 'two', index)));
    await expect.poll(() => woken.size).toBeGreaterThanOrEqual(names.length - 1);
  });
});

describe('writes on a connection that breaks', () => {
  for (const [cut, version] of [
    ['request', 1],
    ['reply', 2],
  ] as const)
    it(`at the ${cut} of all of them: each is told that its outcome is unknown, and none is sent again`, async () => {
      const schema = newSchema();
      const store = await storeWithRecords(proxyUrl, schema);
      proxy.cutNext(cut);
      const [first, ...others] = names.map((name) => store.compareAndSwap(name, 1, 'two', index));
      expect(await first).toBe(true);
      for (const { code, message } of await Promise.all(others.map(failureOf))) {
        expect(code).toBe('unavailable');
        expect(message).toMatch(/may or may not have happened: read again/);
      }
      for (const name of names.slice(1))
        await expect.poll(async () => (await store.get(name))?.version).toBe(version);
    });

  it('that stands still: all end in time, those too that waited for the first', async () => {
    const pool = testPool(server.url, { max: 2 });
    const store = testStore(server.url, { pool, operationTimeoutMs: 2000 });
    await store.compareAndSwap('key0', 0, 'one', index);
    await nextTurn();
    server.process.pause();
    const startedAt = performance.now();
    try {
      const waiting = names.map((name) => failureOf(store.compareAndSwap(name, 1, 'two', index)));
      const failures = await Promise.all(waiting);
      for (const { code } of failures) expect(code).toBe('unavailable');
    } finally {
      server.process.resume();
    }
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });
});

describe('reads that wait at the same moment', () => {
  it('share a statement, and get an answer each', async () => {
    const schema = newSchema();
    await storeWithRecords(server.url, schema);
    const pool = testPool(server.url);
    let statements = 0;
    // Each borrows a connection for itself.
    pool.on('acquire', () => {
      statements += 1;
    });
    const store = testStore(server.url, { schema, pool });
    await store.get('key0');
    statements = 0;
    const found = await Promise.all([...names, 'absent', 'key1'].map((name) => store.get(name)));
    const stored = { version: 1, value: 'one', index };
    expect(found).toEqual([...names.map(() => stored), undefined, stored]);
    // All but the second of one key, unless the first of them left by itself.
    expect(statements).toBeLessThanOrEqual(3);
  });
});

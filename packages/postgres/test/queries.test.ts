import type { RecordQuery } from '@outlive/core';
import { afterAll, describe, expect, it } from 'vitest';
import { postgresServer } from '../../../test/servers/postgres-server.ts';
import { listStatement } from '../src/reads.ts';
import { tablesIn } from '../src/schema.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

const server = await postgresServer();
afterAll(() => server.stop());

describe('list', () => {
  it('reads a page by an index, whatever it asks for and however far it is', async () => {
    const schema = newSchema();
    const tables = tablesIn(schema);
    const pool = testPool(server.url);
    await testStore(server.url, { schema }).get('key');
    await pool.query(
      `INSERT INTO ${tables.record} (key, version, kind, status, subject, task_id, due_at, value)
       SELECT 'key ' || n, 1, CASE n % 3 WHEN 0 THEN 'task' ELSE 'grant' END, 's' || n % 5,
         'u' || n % 500, 't' || n % 700, CASE n % 2 WHEN 0 THEN n END,
         CASE n % 10 WHEN 0 THEN NULL ELSE 'value' END
       FROM generate_series(1, 20000) AS n`,
    );
    await pool.query(`ANALYZE ${tables.record}`);
    const queries: readonly (readonly [RecordQuery, RegExp])[] = [
      [{ kind: 'grant' }, /record_by_kind/],
      [{ kind: 'task', status: 's1' }, /record_by_(status|kind)/],
      [{ kind: 'task', subject: 'u1' }, /record_by_subject/],
      [{ kind: 'task', taskId: 't1' }, /record_by_task/],
      [{ kind: 'task', taskId: 't1', status: 's1' }, /record_by_task/],
      [{ kind: 'grant', dueBefore: 15_000 }, /record_by_due/],
      [{ kind: 'grant', dueBefore: 15_000, status: 's1' }, /record_by_due/],
    ];
    for (const [query, index] of queries)
      for (const after of [undefined, { id: '9000', dueAt: 9000 }]) {
        const { text, values } = listStatement(tables, query, after);
        const { rows } = await pool.query(`EXPLAIN ${text}`, values);
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        expect(plan, JSON.stringify({ query, after })).toMatch(index);
        expect(plan).not.toMatch(/Seq Scan/);
      }
  });
});

describe('whatever the defaults of the database are', () => {
  for (const isolation of ['repeatable read', 'serializable'])
    it(`with ${isolation} isolation, of many concurrent writers exactly one wins, and the others are told that they lost`, async () => {
      const pool = testPool(server.url, {
        max: 8,
        options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`,
      });
      const store = testStore(server.url, { pool });
      for (let version = 0; version < 30; version += 1) {
        const swaps = Array.from({ length: 8 }, () =>
          store.compareAndSwap('key', version, 'value', { kind: 'grant' }),
        );
        const appends = Array.from({ length: 8 }, (_, writer) =>
          store.append('log', version + 1, [`writer ${writer}`]),
        );
        const answers = await Promise.all([Promise.all(swaps), Promise.all(appends)]);
        for (const each of answers) expect(each.filter(Boolean)).toHaveLength(1);
      }
      expect((await store.get('key'))?.version).toBe(30);
      expect((await store.last('log'))?.sequence).toBe(30);
    });

  it('with numbers that the application has pg read as BigInt, they are numbers to the store', async () => {
    const pool = testPool(server.url, {
      types: {
        getTypeParser: (oid: number) => (oid === 20 ? BigInt : (text: string) => text) as never,
      },
    });
    const store = testStore(server.url, { pool });
    await expect(
      store.compareAndSwap('key', 0, 'value', { kind: 'task', dueAt: 5.5 }),
    ).resolves.toBe(true);
    expect(await store.get('key')).toEqual({
      version: 1,
      value: 'value',
      index: { kind: 'task', dueAt: 5.5 },
    });
  });

  it('a statement leaves nothing behind on the connection that the application borrows next', async () => {
    const pool = testPool(server.url, { max: 1, options: '-c synchronous_commit=off' });
    const store = testStore(server.url, { pool });
    await store.compareAndSwap('key', 0, 'value', { kind: 'grant' });
    await store.append('log', 1, ['entry']);
    const { rows } = await pool.query(
      "SELECT current_setting('lock_timeout') AS lock, current_setting('synchronous_commit') AS sync",
    );
    expect(rows).toEqual([{ lock: '0', sync: 'off' }]);
  });
});

describe('texts that Postgres cannot hold', () => {
  it('are refused by name before anything is sent', async () => {
    const store = testStore(server.url);
    for (const text of ['a\0b', 'a\ud800b']) {
      await expect(store.get(text)).rejects.toThrow(TypeError);
      await expect(
        store.compareAndSwap('key', 0, 'value', { kind: 'grant', taskId: text }),
      ).rejects.toThrow(/^taskId must /);
      await expect(store.append('log', 1, [text])).rejects.toThrow(/^value must /);
    }
  });
});

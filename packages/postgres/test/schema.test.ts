import { afterAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownPostgresServer } from '../../../test/servers/postgres-server.ts';
import { databaseOf, serverQuery } from './server-query.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

const server = await ownPostgresServer();
afterAll(() => server.stop());

const index = { kind: 'grant' } as const;

/** What is in the schema now. */
function contentsOf(schema: string): Promise<readonly unknown[]> {
  return serverQuery(
    server.url,
    `SELECT relname, relkind FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE nspname = '${schema}' ORDER BY relname`,
  );
}

describe('the tables of a store', () => {
  it('are in a schema called outlive, unless another one is named', async () => {
    const store = testStore(server.url, { schema: undefined });
    await store.compareAndSwap('key', 0, 'value', index);
    expect(await serverQuery(server.url, 'SELECT key FROM outlive.record')).toEqual([
      { key: 'key' },
    ]);
  });

  it('of different schemas do not see each other, nor depend on the search path', async () => {
    const store = testStore(server.url);
    const other = testStore(server.url, {
      pool: testPool(server.url, { options: '-c search_path=pg_catalog' }),
    });
    await store.compareAndSwap('key', 0, 'one', index);
    await other.compareAndSwap('key', 0, 'two', index);
    expect((await store.get('key'))?.value).toBe('one');
    expect((await other.get('key'))?.value).toBe('two');
  });

  it('written by a newer version are refused, for reading too, and left as they are', async () => {
    const schema = newSchema();
    await testStore(server.url, { schema }).compareAndSwap('key', 0, 'value', index);
    await serverQuery(server.url, `UPDATE ${schema}.schema_version SET version = 2`);
    const before = await contentsOf(schema);
    const store = testStore(server.url, { schema });
    const failures = await Promise.all(
      [store.get('key'), store.compareAndSwap('key', 1, 'value', index), store.last('log')].map(
        failureOf,
      ),
    );
    for (const failure of failures) {
      expect(failure.code).toBe('newer_schema');
      expect(failure.message).toMatch(/has version 2.*knows up to 1.*Upgrade @outlive\/postgres/);
    }
    expect(await contentsOf(schema)).toEqual(before);
    // Once this process is upgraded, or the tables are those it knows, the same store works.
    await serverQuery(server.url, `UPDATE ${schema}.schema_version SET version = 1`);
    expect((await store.get('key'))?.version).toBe(1);
  });

  it('of another application are never touched', async () => {
    const schema = newSchema();
    await serverQuery(
      server.url,
      `CREATE SCHEMA ${schema}`,
      `CREATE TABLE ${schema}.record (id integer)`,
    );
    const before = await contentsOf(schema);
    const failure = await failureOf(testStore(server.url, { schema }).get('key'));
    expect(failure.code).toBe('corrupt');
    expect(failure.message).toMatch(/Nothing was overwritten.*`schema` of its own/);
    expect(await contentsOf(schema)).toEqual(before);
  });

  it('that vanish while a store is in use are not made again: they held tokens', async () => {
    const schema = newSchema();
    const store = testStore(server.url, { schema });
    await store.compareAndSwap('key', 0, 'value', index);
    await serverQuery(server.url, `DROP SCHEMA ${schema} CASCADE`);
    expect((await failureOf(store.get('key'))).code).toBe('corrupt');
    expect((await failureOf(store.compareAndSwap('key', 0, 'new', index))).code).toBe('corrupt');
    expect(await contentsOf(schema)).toEqual([]);
  });

  it('can be used by a user who may neither create nor change them, once they are there', async () => {
    const schema = newSchema();
    const user = `user_${schema}`;
    await serverQuery(server.url, `CREATE ROLE ${user} LOGIN`);
    const url = new URL(server.url);
    url.username = user;
    const store = testStore(url.href, { schema });
    const failure = await failureOf(store.get('key'));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/denies.*run the store once as a user who may create/);
    await testStore(server.url, { schema }).get('key');
    await serverQuery(
      server.url,
      `GRANT USAGE ON SCHEMA ${schema} TO ${user}`,
      `GRANT SELECT ON ${schema}.schema_version TO ${user}`,
      `GRANT SELECT, INSERT, UPDATE ON ${schema}.record TO ${user}`,
      `GRANT SELECT, INSERT ON ${schema}.stream_entry TO ${user}`,
    );
    expect(await store.compareAndSwap('key', 0, 'value', index)).toBe(true);
    expect(await store.compareAndSwap('key', 1, 'next', index)).toBe(true);
    expect(await store.append('log', 1, ['entry'])).toBe(true);
    expect((await store.get('key'))?.value).toBe('next');
  });

  it('are not made in a database that cannot hold every text', async () => {
    await serverQuery(
      server.url,
      "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    );
    const failure = await failureOf(testStore(databaseOf(server.url, 'latin')).get('key'));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/encoding LATIN1.*ENCODING 'UTF8'/);
  });
});

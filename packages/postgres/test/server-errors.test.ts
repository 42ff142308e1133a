import { execFile } from 'node:child_process';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Store } from '@outlive/core';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownPostgresServer, serverUser } from '../../../test/servers/postgres-server.ts';
import { serverQuery } from './server-query.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

const server = await ownPostgresServer();
afterAll(() => server.stop());

const index = { kind: 'grant' } as const;

/** Makes every write to the tables of `schema` end with this error of the server. */
async function failWrites(schema: string, sqlState: string): Promise<void> {
  await serverQuery(
    server.url,
    `CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'as in real life' USING ERRCODE = '${sqlState}'; END $$`,
    `CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON ${schema}.record
       FOR EACH ROW EXECUTE FUNCTION ${schema}.fail()`,
  );
}

async function storeWhoseWritesFail(sqlState: string): Promise<Store> {
  const schema = newSchema();
  const store = testStore(server.url, { schema });
  await store.compareAndSwap('key', 0, 'value', index);
  await failWrites(schema, sqlState);
  return store;
}

describe('an error of the server', () => {
  it('that its disk is full: the store is full, nothing was written, and reads go on', async () => {
    const store = await storeWhoseWritesFail('53100');
    const failure = await failureOf(store.compareAndSwap('key', 1, 'next', index));
    expect(failure.code).toBe('full');
    expect(failure.message).toMatch(/disk of Postgres is full; nothing was written/);
    expect((await store.get('key'))?.version).toBe(1);
  });

  it('that it does not expect: what it says is told, and that nothing was written', async () => {
    const store = await storeWhoseWritesFail('P0001');
    const failure = await failureOf(store.compareAndSwap('key', 1, 'next', index));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/P0001: as in real life.*nothing was written/);
  });

  it('that the key is too long for its index: a RangeError, since trying again is no use', async () => {
    const store = testStore(server.url);
    const key = Array.from({ length: 200 }, () => crypto.randomUUID()).join();
    await expect(store.compareAndSwap(key, 0, 'value', index)).rejects.toThrow(RangeError);
    expect(await store.get(key)).toBeUndefined();
  });

  it('that the database is set to read only: the store refuses writes as read_only, and reads go on', async () => {
    const schema = newSchema();
    await testStore(server.url, { schema }).compareAndSwap('key', 0, 'value', index);
    const pool = testPool(server.url, { options: '-c default_transaction_read_only=on' });
    const store = testStore(server.url, { schema, pool });
    expect((await store.get('key'))?.value).toBe('value');
    const failure = await failureOf(store.compareAndSwap('key', 1, 'next', index));
    expect(failure.code).toBe('read_only');
    expect(failure.message).toMatch(/nothing was written.*primary/);
  });

  it('that the user does not exist: the store is unavailable at once, not after its time', async () => {
    const url = new URL(server.url);
    url.username = 'nobody_known';
    const store = testStore(url.href, { operationTimeoutMs: 1_000_000 });
    const failure = await failureOf(store.get('key'));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/gave no connection.*nobody_known.*nothing was written/);
  });
});

describe('a hot standby', () => {
  it('is refused for writes and for reads, which might lag behind', async () => {
    const schema = newSchema();
    await testStore(server.url, { schema }).compareAndSwap('key', 0, 'value', index);
    const standby = await startStandby();
    const store = testStore(standby.url, { schema });
    const other = testStore(standby.url);
    const failures = await Promise.all(
      [store.get('key'), store.compareAndSwap('key', 1, 'next', index), other.get('key')].map(
        failureOf,
      ),
    );
    for (const failure of failures) {
      expect(failure.code).toBe('read_only');
      expect(failure.message).toMatch(/standby.*primary/);
    }
    // The same pool, once the standby is promoted.
    await serverQuery(standby.url, 'SELECT pg_promote(true, 60)');
    expect(await store.compareAndSwap('key', 1, 'next', index)).toBe(true);
  });
});

/** A server that follows the first one: a copy of its files, with a mark that says so. */
async function startStandby(): Promise<{ readonly url: string }> {
  const user = await serverUser();
  const standby = await ownPostgresServer();
  onTestFinished(() => standby.stop());
  await standby.process.end();
  const data = join(standby.process.folder, 'data');
  await rm(data, { recursive: true });
  await serverQuery(server.url, 'CHECKPOINT');
  await server.process.end();
  await cp(join(server.process.folder, 'data'), data, { recursive: true });
  await server.process.start();
  await writeFile(join(data, 'standby.signal'), '');
  const { hostname, port } = new URL(server.url);
  await writeFile(
    join(data, 'postgresql.auto.conf'),
    `primary_conninfo = 'host=${hostname} port=${port} user=postgres'\n`,
  );
  if (user.uid !== undefined)
    await promisify(execFile)('chown', ['-R', `${user.uid}:${user.gid}`, data]);
  await standby.process.start();
  return standby;
}

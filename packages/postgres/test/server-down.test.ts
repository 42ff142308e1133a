import { afterAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownPostgresServer } from '../../../test/servers/postgres-server.ts';
import { serverQuery } from './server-query.ts';
import { newSchema, testPool, testStore } from './test-store.ts';

// What is not written through is lost in a crash for ten seconds.
const server = await ownPostgresServer({ synchronous_commit: 'off', wal_writer_delay: '10s' });
afterAll(() => server.stop());

const index = { kind: 'grant' } as const;

describe('a server that is away', () => {
  it('that stands still: operations end in time, and the store works once it goes on', async () => {
    const pool = testPool(server.url, { max: 2 });
    const store = testStore(server.url, { pool, operationTimeoutMs: 800 });
    await store.compareAndSwap('key', 0, 'one', index);
    // A connection for each of the two that follow; two reads of one kind would share one.
    await Promise.all([store.get('key'), store.last('log')]);
    server.process.pause();
    try {
      const failures = await Promise.all([
        failureOf(store.compareAndSwap('key', 1, 'two', index)),
        failureOf(store.get('key')),
      ]);
      for (const { code } of failures) expect(code).toBe('unavailable');
      expect(failures[0].message).toMatch(
        /did not answer within 800 ms.*may have happened, or may happen yet: read again/,
      );
      // No connection is left waiting for an answer, so that the pool does not run empty.
      expect(pool.totalCount).toBe(0);
      // A new connection is accepted by the system and then hears nothing.
      const failure = await failureOf(store.compareAndSwap('key', 1, 'two', index));
      expect(failure.message).toMatch(/no connection.*nothing was written/);
    } finally {
      server.process.resume();
    }
    // The write that was given up may still land, once, between a reading and the swap that relies on it.
    await expect
      .poll(async () => {
        const found = await store.get('key');
        return store.compareAndSwap('key', found?.version ?? 0, 'three', index);
      })
      .toBe(true);
  });

  it('that is down: operations end in time and say that nothing was written', async () => {
    const fresh = testStore(server.url, { operationTimeoutMs: 400 });
    const used = testStore(server.url, { operationTimeoutMs: 400 });
    await used.compareAndSwap('key', 0, 'one', index);
    await server.process.end();
    try {
      for (const store of [fresh, used]) {
        // After it no connection is left that a write could be lost on.
        expect((await failureOf(store.get('key'))).code).toBe('unavailable');
        const failure = await failureOf(store.compareAndSwap('key', 1, 'two', index));
        expect(failure.code).toBe('unavailable');
        expect(failure.message).toMatch(
          /could not be reached within 400 ms.*ECONNREFUSED.*nothing was written/,
        );
      }
    } finally {
      await server.process.start();
    }
    expect((await used.get('key'))?.version).toBe(1);
    expect(await fresh.get('key')).toBeUndefined();
  });

  it('that comes up later: operations wait for it', async () => {
    const store = testStore(server.url, { operationTimeoutMs: 30_000 });
    await server.process.end();
    const write = store.compareAndSwap('key', 0, 'one', index);
    const read = store.get('key');
    await server.process.start();
    expect(await write).toBe(true);
    expect([undefined, 'one']).toContain((await read)?.value);
  });

  it('that crashes right after a write was acknowledged: the write is there, even where the default is not to wait for the disk', async () => {
    const schema = newSchema();
    const store = testStore(server.url, { schema });
    expect(await store.compareAndSwap('key', 0, 'one', index)).toBe(true);
    for (let version = 1; version <= 3; version += 1) {
      expect(await store.compareAndSwap('key', version, `value ${version}`, index)).toBe(true);
      expect(await store.append('log', version, [`entry ${version}`])).toBe(true);
      // Nobody is asked to write anything down any more.
      await server.process.restart('SIGQUIT');
      expect(await store.get('key')).toMatchObject({ version: version + 1 });
      expect(await store.last('log')).toMatchObject({ sequence: version });
    }
    // The server's own default is as before, so that it would have been lost.
    const [row] = await serverQuery(server.url, 'SHOW synchronous_commit');
    expect(row).toEqual({ synchronous_commit: 'off' });
  });
});

import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownRedisServer } from '../../../test/servers/redis-server.ts';
import { clientsOf } from './clients.ts';
import { testStore } from './test-store.ts';

const server = await ownRedisServer();
afterAll(() => server.stop());

const index = { kind: 'grant' } as const;

describe.each(Object.entries(clientsOf))('a server that is away, with %s', (_, client) => {
  it('that stands still: operations end in time, and the store works once it goes on', async () => {
    const store = testStore(client(server.url), { timeoutMs: 3000 });
    await store.compareAndSwap('key', 0, 'one', index);
    server.process.pause();
    try {
      const failures = await Promise.all([
        failureOf(store.compareAndSwap('key', 1, 'two', index)),
        failureOf(store.get('key')),
      ]);
      for (const { code } of failures) expect(code).toBe('unavailable');
      expect(failures[0].message).toMatch(/did not answer within 3000 ms.*may or may not/);
    } finally {
      server.process.resume();
    }
    const found = await store.get('key');
    expect([1, 2]).toContain(found?.version);
    expect(await store.compareAndSwap('key', found?.version ?? 0, 'three', index)).toBe(true);
  });

  it('that is down: operations end in time and say that nothing was written', async () => {
    const fresh = testStore(client(server.url), { timeoutMs: 400 });
    const used = testStore(client(server.url), { timeoutMs: 400 });
    await used.compareAndSwap('key', 0, 'one', index);
    await server.process.end();
    try {
      for (const store of [fresh, used]) {
        // After it no connection is left that a write could be lost on.
        expect((await failureOf(store.get('key'))).code).toBe('unavailable');
        const failure = await failureOf(store.compareAndSwap('key', 1, 'two', index));
        expect(failure.code).toBe('unavailable');
        expect(failure.message).toMatch(/could not be reached within 400 ms.*nothing was written/);
      }
    } finally {
      await server.process.start();
    }
    expect((await used.get('key'))?.version).toBe(1);
    expect(await fresh.get('key')).toBeUndefined();
  });

  it('that comes up later: operations wait for it', async () => {
    const store = testStore(client(server.url), { timeoutMs: 30_000 });
    await server.process.end();
    const write = store.compareAndSwap('key', 0, 'one', index);
    const read = store.get('key');
    await server.process.start();
    expect(await write).toBe(true);
    expect([undefined, 'one']).toContain((await read)?.value);
  });

  it('that ends with many operations under way: none of them leaves anything behind', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const store = testStore(client(server.url), { timeoutMs: 1000 });
    await store.get('key');
    server.process.pause();
    const answers = Promise.allSettled(Array.from({ length: 30 }, (_, at) => store.get(`${at}`)));
    server.process.resume();
    await server.process.end('SIGKILL');
    await answers;
    await server.process.start();
    expect(await store.get('key')).toBeUndefined();
    expect(warnings.map(({ name }) => name)).toEqual([]);
  });
});

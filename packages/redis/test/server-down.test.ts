import type { Store } from '@outlive/core';
import { afterAll, describe, expect, it } from 'vitest';
import { ownRedisServer } from '../../../test/servers/redis-server.ts';
import { clientsOf } from './clients.ts';
import { failureOf, testStore } from './test-store.ts';

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

  it('that is killed while many write: what was acknowledged is there, once, and nothing else was', async () => {
    const prefix = `test-${crypto.randomUUID()}`;
    const stores = Array.from({ length: 3 }, () => testStore(client(server.url), { prefix }));
    const acknowledged = new Map<number, string>();
    const attempted = new Set<string>();
    let unknown = 0;
    let isStopping = false;
    const append = async (store: Store, writer: number): Promise<void> => {
      for (let at = 0; !isStopping; at += 1) {
        const next = ((await store.last('log'))?.sequence ?? 0) + 1;
        const value = `writer ${writer} entry ${at}`;
        attempted.add(value);
        try {
          if (await store.append('log', next, value)) acknowledged.set(next, value);
        } catch (error) {
          expect(error).toMatchObject({ code: 'unavailable' });
          unknown += 1;
        }
      }
    };
    const writers = stores.map(append);
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      const enough = acknowledged.size + 30;
      await expect.poll(() => acknowledged.size, { timeout: 30_000 }).toBeGreaterThan(enough);
      await server.process.restart(signal);
    }
    isStopping = true;
    await Promise.all(writers);
    const entries = new Map<number, string>();
    for await (const { sequence, value } of testStore(client(server.url), { prefix }).read(
      'log',
      1,
    ))
      entries.set(sequence, value);
    for (const [sequence, value] of acknowledged) expect(entries.get(sequence)).toBe(value);
    expect(new Set(entries.values()).size).toBe(entries.size);
    for (const value of entries.values()) expect(attempted.has(value)).toBe(true);
    expect(entries.size - acknowledged.size).toBeLessThanOrEqual(unknown);
  });

  it('that was restarted: watchers wake again', async () => {
    const store = testStore(client(server.url));
    let wakes = 0;
    using _watch = store.watch?.({ keys: ['key'] }, () => {
      wakes += 1;
    });
    // Once by the subscription itself, which may have missed something.
    await expect.poll(() => wakes, { timeout: 10_000 }).toBeGreaterThan(0);
    const before = wakes;
    await server.process.restart();
    await expect.poll(() => wakes, { timeout: 10_000 }).toBeGreaterThan(before);
    const again = wakes;
    await store.compareAndSwap('key', 0, 'one', index);
    await expect.poll(() => wakes, { timeout: 10_000 }).toBeGreaterThan(again);
  });
});

import { createCuttingProxy } from '@outlive/testing';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownRedisServer, redisCommand } from '../../../test/servers/redis-server.ts';
import { clientsOf } from './clients.ts';
import { testStore } from './test-store.ts';

const server = await ownRedisServer();
const { port } = server.process;
const proxy = await createCuttingProxy({ port, isWrite: (sent) => /evalsha/i.test(sent) });
const proxyUrl = `redis://127.0.0.1:${proxy.port}`;
afterAll(async () => {
  await proxy.stop();
  await server.stop();
});

const index = { kind: 'grant' } as const;

async function scriptsRun(): Promise<number> {
  const statistics = await redisCommand(port, 'INFO commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(statistics)?.[1] ?? 0);
}

describe.each(Object.entries(clientsOf))('a connection that breaks, with %s', (_, client) => {
  beforeEach(async () => {
    // The scripts are known to the server: what is counted below are runs, not refusals.
    const warm = testStore(client(server.url));
    await warm.compareAndSwap('key', 0, 'value', index);
    await warm.append('log', 1, ['entry']);
  });

  it('after the write arrived: the outcome is unknown, the write is there, and nobody sent it again', async () => {
    const store = testStore(client(proxyUrl));
    expect(await store.get('key')).toBeUndefined();
    const before = await scriptsRun();
    proxy.cutNext('reply');
    const failure = await failureOf(store.compareAndSwap('key', 0, 'value', index));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/may or may not have happened: read again/);
    expect(await store.get('key')).toEqual({ version: 1, value: 'value', index });
    expect(await scriptsRun()).toBe(before + 1);
  });

  it('before the write arrived: the outcome is unknown, nothing is there, and nobody sends it later', async () => {
    const store = testStore(client(proxyUrl));
    expect(await store.get('key')).toBeUndefined();
    const before = await scriptsRun();
    proxy.cutNext('request');
    expect((await failureOf(store.compareAndSwap('key', 0, 'value', index))).code).toBe(
      'unavailable',
    );
    expect(await store.get('key')).toBeUndefined();
    expect(await scriptsRun()).toBe(before);
    expect(await store.compareAndSwap('key', 0, 'value', index)).toBe(true);
  });

  it('does the same to an append', async () => {
    const store = testStore(client(proxyUrl));
    for (const [cut, there] of [['request', undefined] as const, ['reply', 'entry'] as const]) {
      expect(await store.last('log')).toBeUndefined();
      proxy.cutNext(cut);
      expect((await failureOf(store.append('log', 1, ['entry']))).code).toBe('unavailable');
      expect((await store.last('log'))?.value).toBe(there);
    }
  });

  it('killed by the server while it holds a write back: the write never happens', async () => {
    const store = testStore(client(server.url));
    expect(await store.get('key')).toBeUndefined();
    await redisCommand(port, 'CLIENT PAUSE 60000 WRITE');
    const write = failureOf(store.compareAndSwap('key', 0, 'value', index));
    await expect
      .poll(() => redisCommand(port, 'INFO clients'), { timeout: 10_000 })
      .toMatch(/blocked_clients:1/);
    await redisCommand(port, 'CLIENT KILL TYPE normal SKIPME yes');
    await redisCommand(port, 'CLIENT UNPAUSE');
    expect((await write).code).toBe('unavailable');
    expect(await store.get('key')).toBeUndefined();
  });

  it('reads through a connection that is lost again and again', async () => {
    const store = testStore(client(server.url));
    await store.compareAndSwap('key', 0, 'value', index);
    for (let at = 0; at < 20; at += 1) {
      const read = store.get('key');
      await redisCommand(port, 'CLIENT KILL TYPE normal SKIPME yes');
      expect((await read)?.value).toBe('value');
    }
  });

  it('goes on after the server forgot its scripts', async () => {
    const store = testStore(client(server.url));
    await store.compareAndSwap('key', 0, 'one', index);
    await redisCommand(port, 'SCRIPT FLUSH');
    expect(await store.compareAndSwap('key', 1, 'two', index)).toBe(true);
    await redisCommand(port, 'SCRIPT FLUSH');
    expect(await store.append('log', 1, ['entry'])).toBe(true);
    expect(await store.compareAndSwap('key', 1, 'late', index)).toBe(false);
  });
});

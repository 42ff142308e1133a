import { Redis } from 'ioredis';
import { afterAll, expect, it } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { redisFailover } from '../../../test/servers/redis-sentinel.ts';
import { testStore } from './test-store.ts';

const failover = await redisFailover();
afterAll(() => failover.stop());

it('keeps what replicas have confirmed when Sentinel makes one of them the master, with ioredis', async () => {
  const prefix = `test-${crypto.randomUUID()}`;
  const client = new Redis({
    sentinels: [{ host: '127.0.0.1', port: failover.sentinel.port }],
    name: 'main',
    lazyConnect: true,
  });
  const store = testStore(client, { prefix, requireReplicas: 1 });
  const acknowledged = new Map<number, string>();
  let at = 0;
  let isStopping = false;
  const appending = (async () => {
    for (; !isStopping; at += 1) {
      const value = `entry ${at}`;
      try {
        const next = ((await store.last('log'))?.sequence ?? 0) + 1;
        if (await store.append('log', next, [value])) acknowledged.set(next, value);
      } catch (error) {
        expect(['unavailable', 'read_only']).toContain(Reflect.get(Object(error), 'code'));
      }
    }
  })();
  for (const wanted of [100, 200]) {
    await expect.poll(() => acknowledged.size, { timeout: 60_000 }).toBeGreaterThan(wanted);
    await failover.failOver();
  }
  const afterwards = acknowledged.size + 100;
  await expect.poll(() => acknowledged.size, { timeout: 60_000 }).toBeGreaterThan(afterwards);
  isStopping = true;
  await appending;
  const entries = new Map<number, string>();
  for await (const { sequence, value } of store.read('log', 1)) entries.set(sequence, value);
  for (const [sequence, value] of acknowledged) expect(entries.get(sequence)).toBe(value);
  expect(new Set(entries.values()).size).toBe(entries.size);
}, 180_000);

it('says which server it found nobody at, when Sentinel does not answer', async () => {
  const client = new Redis({
    sentinels: [{ host: '127.0.0.1', port: 1 }],
    name: 'main',
    lazyConnect: true,
    sentinelRetryStrategy: () => null,
  });
  const { code, message } = await failureOf(testStore(client, { timeoutMs: 500 }).get('key'));
  expect(code).toBe('unavailable');
  expect(message).toMatch(/could not be reached within 500 ms.*All sentinels are unreachable/);
});

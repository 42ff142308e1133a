import { afterAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownRedisServer, redisCommand } from '../../../test/servers/redis-server.ts';
import { clientsOf } from './clients.ts';
import { testStore } from './test-store.ts';

const master = await ownRedisServer({ 'repl-diskless-sync-delay': '0' });
const replica = await ownRedisServer();
afterAll(async () => {
  await replica.stop();
  await master.stop();
});

const index = { kind: 'grant' } as const;

async function attach(): Promise<void> {
  await redisCommand(replica.process.port, `REPLICAOF 127.0.0.1 ${master.process.port}`);
  await expect
    .poll(() => redisCommand(master.process.port, 'INFO replication'), { timeout: 30_000 })
    .toMatch(/slave0:.*state=online/);
}

async function detach(): Promise<void> {
  await redisCommand(replica.process.port, 'REPLICAOF NO ONE');
  await expect
    .poll(() => redisCommand(master.process.port, 'INFO replication'), { timeout: 30_000 })
    .toMatch(/connected_slaves:0/);
}

describe.each(Object.entries(clientsOf))('requireReplicas, with %s', (_, client) => {
  it('acknowledges what a replica has, and nothing that only the master has', async () => {
    await attach();
    const prefix = `test-${crypto.randomUUID()}`;
    const store = testStore(client(master.url), { prefix, requireReplicas: 1, timeoutMs: 6000 });
    expect(await store.compareAndSwap('key', 0, 'one', index)).toBe(true);
    expect(await store.append('log', 1, ['entry'])).toBe(true);
    expect(await redisCommand(replica.process.port, `HGET {${prefix}}:r:key v`)).toContain('1');

    await detach();
    const impatient = testStore(client(master.url), { prefix, requireReplicas: 1, timeoutMs: 600 });
    const failure = await failureOf(impatient.compareAndSwap('key', 1, 'two', index));
    expect(failure.code).toBe('unavailable');
    expect(failure.message).toMatch(/Fewer than 1 replicas.*requireReplicas/);
    // Reading its own write back would make it look kept.
    expect((await failureOf(impatient.get('key'))).message).toMatch(/Fewer than 1 replicas/);
    // A swap that has nothing to write needs nobody.
    expect(await impatient.compareAndSwap('key', 0, 'late', index)).toBe(false);

    await attach();
    // The replica has a copy to load before it confirms anything.
    await expect
      .poll(() => impatient.get('key').catch(() => 'not yet'), { timeout: 30_000 })
      .toEqual({ version: 2, value: 'two', index });
    expect(await redisCommand(replica.process.port, `HGET {${prefix}}:r:key v`)).toContain('2');
  }, 60_000);
});

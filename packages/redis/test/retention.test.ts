import type { RecordIndex, Store } from '@outlive/core';
import { afterAll, describe, expect, it } from 'vitest';
import { redisServer } from '../../../test/servers/redis-server.ts';
import { clientsOf } from './clients.ts';
import { testStore } from './test-store.ts';

const server = await redisServer();
afterAll(() => server.stop());

const belongings: readonly RecordIndex[] = [
  { kind: 'pause', status: 'consumed', taskId: 'old' },
  { kind: 'call', status: 'succeeded', taskId: 'old' },
  { kind: 'delegation', status: 'revoked', taskId: 'old' },
];
const lasting: readonly RecordIndex[] = [
  { kind: 'grant', status: 'idle', taskId: 'old' },
  { kind: 'subject', subject: 's', taskId: 'old' },
  { kind: 'call', status: 'succeeded', taskId: 'running' },
];

const ended: RecordIndex = { kind: 'task', status: 'completed', subject: 's', taskId: 'old' };

async function write(store: Store, index: RecordIndex): Promise<string> {
  const key = JSON.stringify(index);
  expect(await store.compareAndSwap(key, 0, 'value', index)).toBe(true);
  return key;
}

/** Ends another task, which has the store look for tasks that are to be removed. */
async function endAnotherTask(store: Store): Promise<void> {
  await write(store, { kind: 'task', status: 'failed', taskId: crypto.randomUUID() });
}

describe.each(Object.entries(clientsOf))('endedRetentionMs, with %s', (_, client) => {
  it('removes a task that ended, with what belongs to it alone, from records and index', async () => {
    const prefix = `test-${crypto.randomUUID()}`;
    const store = testStore(client(server.url), { prefix, endedRetentionMs: 1 });
    const gone = await Promise.all(belongings.map((index) => write(store, index)));
    const kept = await Promise.all(lasting.map((index) => write(store, index)));
    const connection = await write(store, { kind: 'connection', taskId: 'old' });
    await store.compareAndSwap(connection, 1, null, { kind: 'connection', taskId: 'old' });
    await write(store, { kind: 'task', status: 'active', taskId: 'running' });
    const task = await write(store, ended);
    await expect
      .poll(
        async () => {
          await endAnotherTask(store);
          return store.get(task);
        },
        { timeout: 10_000 },
      )
      .toBeUndefined();
    for (const key of gone) expect(await store.get(key), key).toBeUndefined();
    for (const key of kept) expect((await store.get(key))?.version, key).toBe(1);
    expect((await store.get(connection))?.version).toBe(2);
    for (const kind of ['pause', 'delegation', 'call'] as const)
      for await (const record of store.list({ kind })) expect(record.index.taskId).toBe('running');
  });

  it('keeps a task that has something left to do, until it is done', async () => {
    const store = testStore(client(server.url), { endedRetentionMs: 1 });
    const revoking: RecordIndex = {
      kind: 'delegation',
      status: 'revoking',
      taskId: 'old',
      dueAt: 1,
    };
    const delegation = await write(store, revoking);
    const task = await write(store, ended);
    for (let at = 0; at < 20; at += 1) await endAnotherTask(store);
    expect((await store.get(delegation))?.version).toBe(1);
    expect((await store.get(task))?.version).toBe(1);
    const { dueAt: _due, ...revoked } = revoking;
    await store.compareAndSwap(delegation, 1, 'value', { ...revoked, status: 'revoked' });
    await expect
      .poll(
        async () => {
          await endAnotherTask(store);
          return store.get(task);
        },
        { timeout: 10_000 },
      )
      .toBeUndefined();
    expect(await store.get(delegation)).toBeUndefined();
  });

  it('removes what ended before it was set, and nothing where it is not set', async () => {
    const prefix = `test-${crypto.randomUUID()}`;
    const keeping = testStore(client(server.url), { prefix });
    const task = await write(keeping, ended);
    for (let at = 0; at < 5; at += 1) await endAnotherTask(keeping);
    expect((await keeping.get(task))?.version).toBe(1);
    const removing = testStore(client(server.url), { prefix, endedRetentionMs: 1 });
    await expect
      .poll(
        async () => {
          await endAnotherTask(removing);
          return keeping.get(task);
        },
        { timeout: 10_000 },
      )
      .toBeUndefined();
  });

  it('keeps a task within its time', async () => {
    const store = testStore(client(server.url), { endedRetentionMs: 3_600_000 });
    const task = await write(store, ended);
    for (let at = 0; at < 5; at += 1) await endAnotherTask(store);
    expect((await store.get(task))?.version).toBe(1);
  });
});

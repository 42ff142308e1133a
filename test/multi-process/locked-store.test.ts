import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createWorld } from './world.ts';

for (const [how, busyTimeoutMs] of [
  ['waits for the lock', 10_000],
  ['has given up waiting for the lock and tries again', 100],
] as const)
  it(`a pair that arrives while another writer has the store locked is kept: the process ${how}`, async () => {
    const world = await createWorld();
    const { id } = await world.startTask();
    const [agent, other] = await Promise.all([
      world.startAgent({ busyTimeoutMs, holdAt: 'settling' }),
      world.startAgent(),
    ]);
    const writer = new DatabaseSync(world.setup.storePath);

    try {
      const waiting = agent.call('token', id);
      await agent.event('settling');
      writer.exec('BEGIN IMMEDIATE');
      agent.release();
      const waitingToo = other.call('token', id);
      await wait(1000);
      if (busyTimeoutMs < 1000) await agent.event('write-failed');
      writer.exec('COMMIT');

      expect(await waiting).toEqual({ status: 'served', generation: 1 });
      expect(await waitingToo).toEqual({ status: 'served', generation: 1 });
    } finally {
      writer.close();
    }
    expect(await agent.call('grantWrites')).toEqual(['refreshing', 'idle']);
    expect(world.presentations()).toEqual([1, 0]);
    expect(await world.grant()).toMatchObject({ status: 'idle', generation: 1 });
    expect(await other.call('read', id)).toMatchObject({ status: 'answered', httpStatus: 200 });
  }, 60_000);

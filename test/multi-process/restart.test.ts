import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { createWorld, type World } from './world.ts';

it('a fresh process with the same file and keys goes on where the last one stopped', async () => {
  const world = await createWorld();
  const { id } = await world.startTask();
  const before = await world.startAgent();
  expect(await before.call('token', id)).toEqual({ status: 'served', generation: 1 });
  await before.kill();

  const after = await world.startAgent();

  expect(await after.call('status', id)).toBe('active');
  expect(await after.call('token', id)).toEqual({ status: 'served', generation: 1 });
  expect(await after.call('read', id)).toMatchObject({ status: 'answered', httpStatus: 200 });
  expect(await after.call('pay', id, 'pay-1')).toMatchObject({ status: 'answered' });
  expect(world.issuer.counters.refreshRequests).toBe(1);
}, 60_000);

it('a task that was paused before the restart is paused after it, and can be resumed', async () => {
  const world = await createWorld();
  const { id } = await world.startTask();
  const before = await world.startAgent();
  world.api.requireStepUp = { acrValues: ['strong'] };
  const refused = await before.call('pay', id, 'pay-1');
  world.api.requireStepUp = undefined;
  await before.kill();

  const after = await world.startAgent();
  expect(await after.call('token', id)).toMatchObject({ error: { code: 'task_paused' } });
  const pauseId = (refused.status === 'refused' && refused.pauseId) || '';
  await world.approve(pauseId);
  expect(await after.call('resume', pauseId)).toBe('resumed');
  const { runId } = refused;
  const paid = await after.call('payAgain', { taskId: id, runId, toolCallId: 'pay-1' });
  expect(paid).toMatchObject({ status: 'answered', httpStatus: 200 });
  expect(world.payments).toHaveLength(1);
}, 60_000);

it('a process with the wrong keys says so, asks the issuer nothing and overwrites nothing', async () => {
  const world = await createWorld();
  const { id } = await world.startTask();
  const { hash } = world.setup.keys;
  const before = recordsOf(world);
  const wrong = {
    tampered: { current: 'first', ring: { first: randomBytes(32) }, hash },
    unknown_key: { current: 'other', ring: { other: randomBytes(32) }, hash },
  };

  for (const [code, keys] of Object.entries(wrong)) {
    const agent = await world.startAgent({ keys });
    await expect(agent.call('status', id)).rejects.toMatchObject({
      report: { name: 'SealingError', code },
    });
    expect(await agent.call('token', id)).toMatchObject({
      status: 'refused',
      error: { name: 'SealingError', code },
    });
    await expect(agent.call('startTask')).rejects.toMatchObject({
      report: { name: 'SealingError', code },
    });
    await expect(agent.call('importGrant', 'another-refresh-token')).rejects.toMatchObject({
      report: { name: 'SealingError', code },
    });
  }

  expect(recordsOf(world)).toEqual(before);
  expect(world.issuer.counters.refreshRequests).toBe(0);
  const right = await world.startAgent();
  expect(await right.call('token', id)).toEqual({ status: 'served', generation: 1 });
}, 60_000);

it('a process with another hash key says so, and finds no grant missing', async () => {
  const world = await createWorld();
  await world.startTask();
  const { current, ring } = world.setup.keys;
  const before = recordsOf(world);

  const agent = await world.startAgent({ keys: { current, ring, hash: randomBytes(32) } });
  const wrongKey = { report: { name: 'ConfigurationError' } };
  await expect(agent.call('startTask')).rejects.toMatchObject(wrongKey);
  await expect(agent.call('importGrant', 'another-refresh-token')).rejects.toMatchObject(wrongKey);

  expect(recordsOf(world)).toEqual(before);
}, 60_000);

it('a new key opens what the old one in its ring has sealed, and seals what is written from then on', async () => {
  const world = await createWorld();
  const { id } = await world.startTask();
  const { ring, hash } = world.setup.keys;
  const next = randomBytes(32);
  const both = { ring: { ...ring, second: next }, hash };
  const rotated = await world.startAgent({ keys: { ...both, current: 'second' } });
  const notYetRotated = await world.startAgent({ keys: { ...both, current: 'first' } });

  expect(await rotated.call('token', id)).toEqual({ status: 'served', generation: 1 });
  expect(await notYetRotated.call('token', id)).toEqual({ status: 'served', generation: 1 });
  const grant = recordsOf(world).find(({ kind }) => kind === 'grant');
  expect(grant?.value).toMatch(/^v1\.second\./);

  const task = recordsOf(world).find(({ kind }) => kind === 'task');
  expect(task?.value).toMatch(/^v1\.first\./);
  const withoutTheOld = await world.startAgent({
    keys: { current: 'second', ring: { second: next }, hash },
  });
  await expect(withoutTheOld.call('status', id)).rejects.toMatchObject({
    report: { name: 'SealingError', code: 'unknown_key' },
  });
}, 60_000);

interface Row {
  readonly key: string;
  readonly version: number;
  readonly kind: string;
  readonly value: string | null;
}

/** What the file holds, past everything that could open it. */
function recordsOf(world: World): Row[] {
  const database = new DatabaseSync(world.setup.storePath, { readOnly: true });
  try {
    const rows = database
      .prepare('SELECT key, version, kind, value FROM record ORDER BY key')
      .all();
    return rows.map(({ key, version, kind, value }) => ({
      key: String(key),
      version: Number(version),
      kind: String(kind),
      value: value === null ? null : String(value),
    }));
  } finally {
    database.close();
  }
}

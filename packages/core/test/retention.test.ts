import { describe, expect, it } from 'vitest';
import type { RecordKind, RetentionConfiguration, Store } from '../src/index.ts';
import { pausedTask } from './paused-task.ts';
import { collect, createLatch, createWorld, never, reading, type World, writing } from './world.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const kinds: readonly RecordKind[] = ['task', 'ended-task', 'pause', 'call', 'delegation'];

/** How many records of each kind the store has for `taskId`. */
async function kept(store: Store, taskId: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const kind of kinds) {
    const found = await collect(store.list({ kind, taskId }));
    if (found.length > 0) counts[kind] = found.length;
  }
  return counts;
}

async function worldThatKeeps(retention: RetentionConfiguration) {
  const world = await createWorld({ process: { policy: { retention } } });
  const process = world.start();
  await world.grant(process);
  return { world, process };
}

/** A task that made one call that changes something, and is completed. */
async function completedTask(world: World, process: ReturnType<World['start']>): Promise<string> {
  const task = await world.task(process);
  const call = task.startRun().call({
    requirement: writing,
    toolName: 'items',
    toolCallId: 'c1',
    input: {},
  });
  await call.principal.fetch('items', { method: 'POST' });
  await call.settle({ ok: true });
  await task.complete();
  return task.id;
}

describe('a task that has ended', () => {
  it('is removed when its time is over, with what belonged to it alone; its audit log stays', async () => {
    const { world, process } = await worldThatKeeps({ endedTasksMs: hourMs });
    await using _ = world;
    const id = await completedTask(world, process);
    const running = await world.task(process, { expectedDurationMs: 10 * hourMs });
    expect(await kept(world.store, id)).toEqual({ 'ended-task': 1, call: 1, delegation: 1 });

    world.clock.skip(hourMs - 60_000);
    expect(await process.outlive.maintain()).toMatchObject({ tasksRemoved: 0 });
    world.clock.skip(60_000);
    expect(await process.outlive.maintain()).toMatchObject({ tasksRemoved: 1 });

    expect(await kept(world.store, id)).toEqual({});
    expect(await process.outlive.task(id)).toBeUndefined();
    expect(await kept(world.store, running.id)).toMatchObject({ delegation: 1 });
    expect(
      (await process.outlive.grants.find({ provider: 'p', principal: { subject: 'alice' } }))
        ?.status,
    ).toBe('idle');
    expect((await process.outlive.explain(id)).status).toBe('completed');
    expect(await process.outlive.verify(id)).toMatchObject({ ok: true });
  });

  it('takes its audit log along where that is asked for', async () => {
    const { world, process } = await worldThatKeeps({ endedTasksMs: dayMs, taskAudit: true });
    await using _ = world;
    const id = await completedTask(world, process);
    await process.outlive.explain(id);
    expect(await world.store.last(`task:${id}`)).toBeDefined();
    world.clock.skip(dayMs);
    await process.outlive.maintain();
    expect(await world.store.last(`task:${id}`)).toBeUndefined();
  });

  it('is kept for ever where nobody says how long, and removed once somebody does', async () => {
    const { world, process } = await worldThatKeeps({});
    await using _ = world;
    const id = await completedTask(world, process);
    world.clock.skip(1000 * dayMs);
    expect(await process.outlive.maintain()).toMatchObject({ tasksRemoved: 0 });
    const before = await kept(world.store, id);
    expect(before).toMatchObject({ 'ended-task': 1 });
    const other = world.start({ policy: { retention: { endedTasksMs: dayMs } } });
    expect(await other.outlive.maintain()).toMatchObject({ tasksRemoved: 1 });
  });

  it('is kept while the outcome of one of its calls is not known', async () => {
    const { world, process } = await worldThatKeeps({ endedTasksMs: dayMs });
    await using _ = world;
    const task = await world.task(process);
    const dying = world.start();
    const there = await dying.outlive.task(task.id);
    const call = there?.startRun().call({
      requirement: writing,
      toolName: 'items',
      toolCallId: 'c1',
      input: {},
    });
    await call?.principal.fetch('items', { method: 'POST' });
    dying.kill();
    await task.cancel('given up');
    for (let day = 0; day < 5; day += 1) {
      world.clock.skip(dayMs);
      expect(await process.outlive.maintain()).toMatchObject({ tasksRemoved: 0 });
    }
    expect(await kept(world.store, task.id)).toMatchObject({ 'ended-task': 1, call: 1 });
  });

  it('is kept while one of its pauses is open', async () => {
    const retention = { endedTasksMs: 1000 };
    const { world, process, task, pause } = await pausedTask('read', { policy: { retention } });
    await using _ = world;
    await task.cancel('given up');
    world.clock.skip(5000);
    await process.outlive.maintain();
    const { status } = (await process.outlive.pause(pause.id)) ?? {};
    expect(await kept(world.store, task.id)).toMatchObject(
      status === 'open' ? { 'ended-task': 1, pause: 1 } : {},
    );
    world.clock.skip(8 * dayMs);
    for (let round = 0; round < 4; round += 1) {
      await process.outlive.maintain();
      world.clock.skip(10_000);
    }
    expect(await kept(world.store, task.id)).toEqual({});
  });

  it('whose removal is cut short is removed by the next round, whoever does it', async () => {
    const { world, process } = await worldThatKeeps({ endedTasksMs: dayMs });
    await using _ = world;
    const id = await completedTask(world, process);
    world.clock.skip(dayMs);
    const dying = world.start();
    let forgotten = 0;
    dying.store.intercept(async (call, proceed) => {
      if (call.operation !== 'forget') return proceed();
      forgotten += 1;
      return forgotten > 1 ? never() : proceed();
    });
    void dying.outlive.maintain();
    await expect.poll(() => forgotten).toBe(2);
    dying.kill();
    expect(await kept(world.store, id)).toMatchObject({ 'ended-task': 1 });
    expect(await process.outlive.maintain()).toMatchObject({ tasksRemoved: 1 });
    expect(await kept(world.store, id)).toEqual({});
  });
});

describe('the stop feed', () => {
  it('keeps the newest notices, and a process that was away for the others believes nothing', async () => {
    const world = await createWorld({ process: { policy: { retention: { stopNotices: 100 } } } });
    await using _ = world;
    const here = world.start();
    const there = world.start();
    await world.grant(here);
    const task = await world.task(here);
    const same = await there.outlive.task(task.id);
    await same?.getAccessToken(reading);
    // It does not listen while its task is cancelled, and while that is told.
    const listensAgain = createLatch();
    there.store.intercept(async (call, proceed) => {
      if (call.operation === 'read') await listensAgain.opened;
      return proceed();
    });
    world.clock.skip(2000);
    await task.cancel('given up');
    for (let at = 0; at < 250; at += 1) {
      const next = ((await world.store.last('outlive:stops'))?.sequence ?? 0) + 1;
      await world.store.append('outlive:stops', next, ['{"kind":"task","id":"another"}']);
    }
    await world.task(here);
    const keptNotices = async (): Promise<number> => {
      await here.outlive.maintain();
      return (await collect(world.store.read('outlive:stops', 1))).length;
    };
    // A round removes what its process has heard of by then.
    await expect.poll(keptNotices).toBeLessThan(110);
    expect(await keptNotices()).toBeGreaterThanOrEqual(100);
    listensAgain.open();
    await expect(same?.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_ended' });
  });
});

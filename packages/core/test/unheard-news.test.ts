import { describe, expect, it, vi } from 'vitest';
import { pausedTask } from './paused-task.ts';
import { createLatch, createWorld, deleting, never, reading, writing } from './world.ts';

/** Two processes that both hand out tokens of one task without asking the store. */
async function two() {
  const world = await createWorld();
  const a = world.start();
  const b = world.start();
  await world.grant(a);
  const task = await world.task(a);
  const there = await b.outlive.task(task.id);
  if (there === undefined) throw new Error('gone');
  await task.getAccessToken(reading);
  await there.getAccessToken(reading);
  return { world, a, b, task, there };
}

describe('news that did not come', () => {
  it('of a stop whose process died before telling it is found out within the revalidation interval', async () => {
    const { world, a, task, there } = await two();
    await using _ = world;
    a.store.intercept(async (call, proceed) =>
      call.operation === 'append' && call.key === 'outlive:stops' ? never() : proceed(),
    );
    void task.cancel();
    await vi.waitFor(async () => {
      const e = await world.start().outlive.task(task.id);
      expect(e?.status).toBe('cancelled');
    });
    a.kill();
    world.clock.skip(31_000);
    await expect(there.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_ended' });
  });

  it('is not written over by the late answer to an earlier write', async () => {
    const { world, a, b, task, there } = await two();
    await using _ = world;
    const pause = await task.pause('by hand');
    await a.outlive.decide(pause?.id ?? '', { decision: 'resume', by: 'alice' });
    const reached = createLatch();
    const go = createLatch();
    using _late = b.store.intercept(async (call, proceed) => {
      if (call.operation === 'append' && call.key === 'outlive:stops') return never();
      const answer = await proceed();
      if (
        call.operation === 'compareAndSwap' &&
        call.index?.kind === 'task' &&
        call.index.status === 'active'
      ) {
        reached.open();
        await go.opened;
      }
      return answer;
    });
    void b.outlive.resume(pause?.id ?? '').catch(() => undefined);
    await reached.opened;
    await task.pause('again');
    const polls = (): number =>
      b.store.calls.filter(({ operation, key }) => operation === 'read' && key === 'outlive:stops')
        .length;
    const before = polls();
    await vi.waitFor(() => expect(polls()).toBeGreaterThan(before + 1), { timeout: 4000 });
    go.open();
    await vi.waitFor(() => expect(there.status).toBe('active'));
    await expect(there.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_paused' });
  });

  it('of a resumption does not make a call wait again for the pause that was answered', async () => {
    const setting = await pausedTask('reversible');
    const { world, process, task, run } = setting;
    await using _ = world;
    // outcome unknown: make the call record unknown by a partial refusal
    void run;
    await process.outlive.decide(setting.pause.id, { decision: 'resume', by: 'alice' });
    const other = world.start();
    expect((await other.outlive.resume(setting.pause.id)).status).toBe('resumed');
    // this process has not heard yet, or is only told to distrust
    world.api.requireStepUp = { acrValues: ['mfa'] };
    const again = await task.resumeRun({ runId: run.id, toolCallIds: ['c1'] });
    const call = again.call({
      requirement: writing,
      toolName: 'items',
      toolCallId: 'c1',
      input: {},
    });
    await call.principal.fetch('items', { method: 'POST' }).catch(() => undefined);
    const end = await again.finish();
    if (end.status !== 'paused') return;
    const stored = await other.outlive.pause(end.pause.id);
    expect(stored?.status).toBe('open');
  });

  it('of a resumption does not make a doubtful call wait again for the pause that was answered', async () => {
    const world = await createWorld();
    await using _ = world;
    const a = world.start();
    const b = world.start();
    await world.grant(a);
    const task = await world.task(a);
    const run = task.startRun();
    const call = run.call({
      requirement: deleting,
      toolName: 'items',
      toolCallId: 'c1',
      input: {},
    });
    expect((await call.principal.fetch('items', { method: 'DELETE' })).status).toBe(200);
    world.api.requireStepUp = { acrValues: ['mfa'] };
    await expect(call.principal.fetch('items', { method: 'DELETE' })).rejects.toThrow();
    await call.settle({ ok: false });
    world.api.requireStepUp = undefined;
    const end = await run.finish();
    if (end.status !== 'paused') throw new Error(end.status);
    await b.outlive.decide(end.pause.id, { decision: 'resume', by: 'alice' });
    await b.outlive.decide(end.pause.id, { decision: 'resume', by: 'root' });
    expect((await b.outlive.resume(end.pause.id)).status).toBe('resumed');
    const again = await task.resumeRun({ runId: run.id, toolCallIds: ['c1'] });
    const second = await again.finish();
    if (second.status !== 'paused') throw new Error(second.status);
    expect(second.pause.id).not.toBe(end.pause.id);
    expect((await b.outlive.pause(second.pause.id))?.status).toBe('open');
  });

  it('of a pause does not let the task run out of time that stands still', async () => {
    const world = await createWorld();
    await using _ = world;
    const a = world.start();
    const b = world.start();
    await world.grant(a);
    const task = await world.task(a, { expectedDurationMs: 10_000 });
    const there = await b.outlive.task(task.id);
    await there?.getAccessToken(reading);
    world.clock.skip(11_700);
    await there?.getAccessToken(reading).catch(() => undefined);
    await task.pause('by hand');
    // b has not heard: its feed is trusted
    world.clock.skip(350);
    await there?.getAccessToken(reading).catch(() => undefined);
    expect((await world.start().outlive.task(task.id))?.status).toBe('paused');
  });

  it('of a cancellation does not let a run end as completed', async () => {
    const { world, task, there } = await two();
    await using _ = world;
    const run = there.startRun();
    await task.cancel();
    expect((await run.finish()).status).toBe('cancelled');
  });

  it('because the store was away is no unhandled rejection', async () => {
    const { world, a, task } = await two();
    await using _ = world;
    const unhandled: unknown[] = [];
    const listen = (e: unknown) => void unhandled.push(e);
    process.on('unhandledRejection', listen);
    a.store.intercept(async (call, proceed) => {
      if (
        call.key === 'outlive:stops' &&
        (call.operation === 'append' || call.operation === 'last')
      )
        throw new Error('the store is away');
      return proceed();
    });
    world.state = 'revoked';
    world.clock.skip(31_000);
    await expect(task.getAccessToken(reading)).rejects.toThrow();
    // Node tells of unhandled rejections between two turns.
    for (const _turn of [1, 2, 3]) await new Promise(setImmediate);
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });
});

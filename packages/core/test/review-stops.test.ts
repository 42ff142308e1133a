import { createFakeClock } from '@outlive/testing';
import { describe, expect, it, vi } from 'vitest';
import { UserStates } from '../src/user-state.ts';
import { failSwaps } from './intercepted-store.ts';
import { pausedTask } from './paused-task.ts';
import { alice, createLatch, createWorld, deleting, never, reading, writing } from './world.ts';

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

describe('stops', () => {
  it('A2 a stop whose notice was lost with its process is known everywhere within the revalidation interval', async () => {
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

  it('A3 a write whose answer comes after the news of a later one is not believed', async () => {
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
    await new Promise((r) => setTimeout(r, 700));
    go.open();
    await vi.waitFor(() => expect(there.status).toBe('active'));
    await expect(there.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_paused' });
  });

  it('A4 a task paused twice for the same call does not get stuck in a consumed pause', async () => {
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

  it('A4b asking about an unknown outcome, in a process that has not heard of the resumption', async () => {
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

  it('A7 a denial that cannot be published is no unhandled rejection', async () => {
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
    await new Promise((r) => setTimeout(r, 50));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });

  it('A9 a poll that began before a call does not answer for it', async () => {
    const { world, b, task, there } = await two();
    await using _ = world;
    const reached = createLatch();
    const go = createLatch();
    let held = false;
    using _held = b.store.intercept(async (call, proceed) => {
      if (held || call.operation !== 'read') return proceed();
      held = true;
      // answered with what the stream held now, but late
      const entries: unknown[] = [];
      for await (const e of (await proceed()) as AsyncIterable<unknown>) entries.push(e);
      reached.open();
      await go.opened;
      return (async function* () {
        yield* entries;
      })() as never;
    });
    await reached.opened;
    await task.pause('by hand');
    world.clock.skip(1500);
    const asked = there.getAccessToken(reading);
    // the second look too
    let second = false;
    using _second = b.store.intercept(async (call, proceed) => {
      if (second || call.operation !== 'read') return proceed();
      second = true;
      return proceed();
    });
    go.open();
    await expect(asked).rejects.toMatchObject({ code: 'task_paused' });
  });

  it('A10 a task that was paused just before its deadline does not expire in a process that has not heard', async () => {
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

  it('A11 a run of a task that was cancelled elsewhere does not end as completed', async () => {
    const { world, task, there } = await two();
    await using _ = world;
    const run = there.startRun();
    await task.cancel();
    expect((await run.finish()).status).toBe('cancelled');
  });
});

describe('user states', () => {
  const setUp = (answer: () => 'active' | 'revoked' | 'unknown') => {
    const clock = createFakeClock();
    const states = new UserStates({
      clock,
      sources: [{ name: 'gate', check: answer }],
      times: {
        timeoutMs: 2000,
        cacheMs: 5000,
        revalidateMs: 30_000,
        toleranceMs: { read: 120_000, reversible: 30_000, irreversible: 0 },
      },
      reported: async () => undefined,
      changed: () => undefined,
    });
    return { clock, states, cell: states.cell(alice, 'id') };
  };

  it('A5 a person who was said to be revoked is not tolerated when the directory goes silent', async () => {
    let state: 'active' | 'revoked' | 'unknown' = 'active';
    const { states, cell, clock } = setUp(() => state);
    await states.check(alice, 'id', 'claim');
    await clock.advance(6000);
    state = 'revoked';
    await states.check(alice, 'id', 'claim');
    expect(states.tolerates(cell, 'read')).toBe(false);
    state = 'unknown';
    await states.check(alice, 'id', 'claim');
    expect(states.tolerates(cell, 'read')).toBe(false);
  });

  it('A6 silence after the news of a stop is not tolerated', async () => {
    let state: 'active' | 'revoked' | 'unknown' = 'active';
    const { states, cell } = setUp(() => state);
    await states.check(alice, 'id', 'claim');
    states.hear('id');
    state = 'unknown';
    await states.check(alice, 'id', 'claim');
    expect(states.tolerates(cell, 'read')).toBe(false);
  });
});
void failSwaps;

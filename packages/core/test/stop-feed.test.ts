import { createFakeClock } from '@outlive/testing';
import { describe, expect, it, vi } from 'vitest';
import { memoryStore } from '../src/index.ts';
import { StopFeed, type StopNotice } from '../src/stop-feed.ts';
import { interceptedStore } from './intercepted-store.ts';
import { alice, createWorld, reading, untilUnusableMs, writing } from './world.ts';

const times = { pollMs: 250, trustMs: 1000 };
const deaf = { heard: () => undefined, missed: () => undefined };

/** Two processes on one store; `there` is the one that listens. */
function setUp() {
  const clock = createFakeClock();
  const inner = memoryStore();
  const store = interceptedStore(inner);
  const heard: (StopNotice | 'missed')[] = [];
  const here = new StopFeed(inner, clock, times, deaf);
  const there = new StopFeed(store, clock, times, {
    heard: (notice) => heard.push(notice),
    missed: () => heard.push('missed'),
  });
  return { clock, inner, store, heard, here, there };
}

describe('the stop feed', () => {
  it('is not trusted before it has listened', async () => {
    const { there } = setUp();
    expect(there.isTrusted()).toBe(false);
    await there.ensureFresh();
    expect(there.isTrusted()).toBe(true);
  });

  it('brings a notice to another process within one poll', async () => {
    const { clock, here, there, heard } = setUp();
    await there.ensureFresh();
    await here.publish({ kind: 'task', id: 't1' });
    expect(heard).toEqual([]);
    await clock.advance(times.pollMs);
    expect(heard).toEqual([{ kind: 'task', id: 't1' }]);
  });

  it('brings a notice at once where the store tells of writes, also one that comes while it is reading', async () => {
    const { clock, store, here, there, heard } = setUp();
    await there.ensureFresh();
    await here.publish({ kind: 'task', id: 't1' });
    await clock.advance(0);
    expect(heard).toEqual([{ kind: 'task', id: 't1' }]);
    let publishing = true;
    store.intercept(async (call, proceed) => {
      const answer = await proceed();
      if (call.operation === 'read' && publishing) {
        publishing = false;
        await here.publish({ kind: 'task', id: 't3' });
      }
      return answer;
    });
    await here.publish({ kind: 'task', id: 't2' });
    await clock.advance(0);
    await clock.advance(0);
    expect(heard).toEqual(['t1', 't2', 't3'].map((id) => ({ kind: 'task', id })));
  });

  it('does not watch a store that would have to look for writes', async () => {
    const { clock, inner, here, heard } = setUp();
    const polled = new StopFeed({ ...inner, watchesByPolling: true }, clock, times, {
      heard: (notice) => heard.push(notice),
      missed: () => heard.push('missed'),
    });
    await polled.ensureFresh();
    await here.publish({ kind: 'task', id: 't1' });
    await clock.advance(times.pollMs - 1);
    expect(heard).toEqual([]);
    await clock.advance(1);
    expect(heard).toHaveLength(1);
  });

  it('goes on listening, in the order of the notices, each once', async () => {
    const { clock, here, there, heard } = setUp();
    await there.ensureFresh();
    const notices = Array.from({ length: 20 }, (_, at) => ({
      kind: at % 2 === 0 ? ('task' as const) : ('subject' as const),
      id: `${at}`,
    }));
    for (const notice of notices) {
      await here.publish(notice);
      await clock.advance(100);
    }
    await clock.advance(times.pollMs);
    expect(heard).toEqual(notices);
    expect(there.isTrusted()).toBe(true);
  });

  it('loses no notice of processes that publish at the same time', async () => {
    const { clock, here, there, heard } = setUp();
    await there.ensureFresh();
    const ids = Array.from({ length: 20 }, (_, at) => `${at}`);
    await Promise.all(
      ids.map((id, at) => (at % 2 === 0 ? here : there).publish({ kind: 'task', id })),
    );
    await clock.advance(times.pollMs);
    const heardIds = heard.map((notice) => notice !== 'missed' && notice.id);
    expect(heardIds.toSorted()).toEqual(ids.toSorted());
  });

  it('does not tell what came before it began: cells are read after that', async () => {
    const { here, there, heard, clock } = setUp();
    await here.publish({ kind: 'task', id: 'old' });
    await there.ensureFresh();
    await here.publish({ kind: 'task', id: 'new' });
    await clock.advance(times.pollMs);
    expect(heard).toEqual([{ kind: 'task', id: 'new' }]);
  });

  it('goes stale when the store cannot be read, and catches up when it can', async () => {
    const { clock, store, here, there, heard } = setUp();
    await there.ensureFresh();
    const away = store.intercept(() => Promise.reject(new Error('the store is away')));
    await here.publish({ kind: 'task', id: 't1' });
    await clock.advance(times.trustMs - 1);
    expect(there.isTrusted()).toBe(true);
    await clock.advance(1);
    expect(there.isTrusted()).toBe(false);
    await expect(there.ensureFresh()).rejects.toThrow('the store is away');

    away[Symbol.dispose]();
    await clock.advance(times.pollMs);
    expect(heard).toEqual([{ kind: 'task', id: 't1' }]);
    expect(there.isTrusted()).toBe(true);
  });

  it('counts its trust from the question, not from a slow answer', async () => {
    const { clock, store, there } = setUp();
    let answer = (): void => undefined;
    store.intercept(async (_call, proceed) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return proceed();
    });
    const fresh = there.ensureFresh();
    await clock.advance(900);
    answer();
    await clock.advance(0);
    answer();
    await fresh;
    expect(there.isTrusted()).toBe(true);
    await clock.advance(100);
    expect(there.isTrusted()).toBe(false);
  });

  it('is not trusted after the machine slept, whichever clock went on', async () => {
    const { clock, there } = setUp();
    await there.ensureFresh();
    clock.jump(times.trustMs);
    expect(there.isTrusted()).toBe(false);
  });

  it('stops asking when it is closed', async () => {
    const { clock, store, there } = setUp();
    await there.ensureFresh();
    there.close();
    const asked = store.calls.length;
    await clock.advance(10_000);
    expect(store.calls.length).toBe(asked);
    expect(clock.pending).toBe(0);
  });
});

describe('two processes with the same task', () => {
  async function twoProcesses() {
    const world = await createWorld();
    const here = world.start();
    const grantId = await world.grant(here);
    const task = await world.task(here);
    const there = world.start();
    const same = await there.outlive.task(task.id);
    if (same === undefined) throw new Error('the task is gone');
    await task.getAccessToken(reading);
    await same.getAccessToken(reading);
    return { world, here, there, task, same, grantId };
  }

  it('both give no token once one of them has paused it', async () => {
    const { world, task, same } = await twoProcesses();
    await using _ = world;
    const pause = await task.pause('lunch');
    await vi.waitFor(
      () =>
        expect(same.getAccessToken(reading)).rejects.toMatchObject({
          code: 'task_paused',
          ref: pause?.id,
        }),
      1000,
    );
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_paused' });
  });

  it('both give no token once one of them has ended it', async () => {
    const { world, task, same } = await twoProcesses();
    await using _ = world;
    await task.complete();
    await vi.waitFor(
      () => expect(same.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_ended' }),
      1000,
    );
  });

  it('both give no token once the person was reported to one of them', async () => {
    const { world, here, task, same, grantId } = await twoProcesses();
    await using _ = world;
    await here.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'user_state' });
    await vi.waitFor(
      () =>
        expect(same.getAccessToken(reading)).rejects.toMatchObject({
          code: 'user_state',
          reason: 'revoked',
        }),
      1000,
    );
    expect(world.presented(grantId)).toEqual([0]);
  });

  it('both give tokens again once the person was reported active', async () => {
    const { world, here, task, same } = await twoProcesses();
    await using _ = world;
    await here.outlive.reportUserState(alice, { state: 'paused', source: 'directory' });
    await expect(task.getAccessToken(reading)).rejects.toThrow();
    await here.outlive.reportUserState(alice, { state: 'active', source: 'directory' });
    expect((await task.getAccessToken(reading)).generation).toBe(0);
    expect((await same.getAccessToken(reading)).generation).toBe(0);
  });

  it('hold to a reported state however long ago it was reported', async () => {
    const { world, here, same } = await twoProcesses();
    await using _ = world;
    await here.outlive.reportUserState(alice, { state: 'paused', source: 'directory' });
    world.clock.skip(365 * 24 * 3_600_000);
    const later = world.start();
    await expect(world.task(later)).rejects.toMatchObject({ code: 'user_state', reason: 'paused' });
    await expect(same.getAccessToken(reading)).rejects.toThrow();
  });

  it('give no token without the store once they cannot listen any more', async () => {
    const { world, there, same } = await twoProcesses();
    await using _ = world;
    there.store.intercept(() => Promise.reject(new Error('the store is away')));
    world.clock.skip(1001);
    await expect(same.getAccessToken(reading)).rejects.toMatchObject({
      code: 'store_unavailable',
      recovery: 'wait',
    });
  });
});

describe('a running task whose person cannot be asked about', () => {
  it('reads with the token it has for a while, and mints none', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    const grantId = await world.grant(process);
    const task = await world.task(process);
    await task.getAccessToken(reading);
    world.state = 'unknown';
    world.clock.skip(40_000);

    expect((await task.getAccessToken(reading)).generation).toBe(0);
    await expect(task.getAccessToken(writing)).rejects.toMatchObject({
      code: 'user_state',
      reason: 'unknown',
    });
    world.clock.skip(untilUnusableMs);
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'user_state' });
    expect(world.presented(grantId)).toEqual([0]);
  });
});

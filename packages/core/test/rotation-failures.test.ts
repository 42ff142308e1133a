import { describe, expect, it, vi } from 'vitest';
import type { Task } from '../src/index.ts';
import { failSwaps } from './intercepted-store.ts';
import { createWorld, reading, untilUnusableMs, type World } from './world.ts';

/** A task whose token is used up, so that the next call has to wait for a refresh. */
async function setUp(options: Parameters<typeof createWorld>[0] = {}) {
  const world = await createWorld(options);
  const process = world.start();
  const grantId = await world.grant(process);
  const task = await world.task(process);
  await task.getAccessToken(reading);
  world.clock.skip(untilUnusableMs);
  return { world, process, grantId, task };
}

/** Waits for the grant to be left alone until some time, and answers how long that is. */
async function backoffAfter(world: World, failures: number): Promise<number> {
  return vi.waitFor(async () => {
    const { state } = await world.grantRecord();
    expect(state).toMatchObject({ status: 'idle', failures });
    return state.status === 'idle' ? (state.retryAfterMs ?? 0) : 0;
  });
}

async function usableAgain(world: World, task: Task, grantId: string): Promise<void> {
  expect((await task.getAccessToken(reading)).generation).toBe(1);
  expect(world.issuer.grant(grantId).alive).toBe(true);
  expect(world.issuer.counters.reuseDetected).toBe(0);
}

describe('a refresh that was certainly not processed', () => {
  it('is tried again after the wait that the issuer asked for, and not before', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    using limited = world.issuer.fault(() => ({
      fault: 'status',
      status: 429,
      headers: { 'retry-after': '7' },
    }));
    const waiting = task.getAccessToken(reading);
    expect(await backoffAfter(world, 1)).toBe(7000);
    limited[Symbol.dispose]();

    world.clock.skip(6000);
    const other = await world.start({ policy: { maxWaitMs: 200 } }).outlive.task(task.id);
    await expect(other?.getAccessToken(reading)).rejects.toMatchObject({
      code: 'issuer_unavailable',
    });
    expect(world.issuer.counters.tokenRequests).toBe(1);

    world.clock.skip(1001);
    expect((await waiting).generation).toBe(1);
    await usableAgain(world, task, grantId);
  });

  it('is tried again ever later, with jitter', async () => {
    const { world, task } = await setUp();
    await using _ = world;
    using limited = world.issuer.fault(() => ({ fault: 'status', status: 429 }));
    const waiting = task.getAccessToken(reading);

    for (const [failures, [least, most]] of [
      [250, 500],
      [500, 1000],
      [1000, 2000],
      [2000, 4000],
    ].entries()) {
      const waitMs = await backoffAfter(world, failures + 1);
      expect(waitMs).toBeGreaterThanOrEqual(least ?? 0);
      expect(waitMs).toBeLessThanOrEqual(most ?? 0);
      world.clock.skip(waitMs + 1);
    }
    await vi.waitFor(() => expect(world.issuer.counters.tokenRequests).toBe(5));
    const left = await backoffAfter(world, 5);
    limited[Symbol.dispose]();
    world.clock.skip(left + 1);
    expect((await waiting).generation).toBe(1);
    expect((await world.grantRecord()).state).toEqual({ status: 'idle' });
  });

  it('ends a wait that took too long, and keeps the pair', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    using limited = world.issuer.fault(() => ({ fault: 'status', status: 429 }));
    const waiting = expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'issuer_unavailable',
      recovery: 'wait',
    });
    await backoffAfter(world, 1);
    world.clock.skip(90_000);
    await waiting;
    await process.outlive.grants.idle();
    limited[Symbol.dispose]();
    world.clock.skip(60_000);
    await usableAgain(world, task, grantId);
  });

  it('fails at once where the client registration is wrong, and works once that is right', async () => {
    const { world, task, grantId } = await setUp({
      process: { provider: { clientSecret: 'not-the-secret' } },
    });
    await using _ = world;
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'misconfigured',
      recovery: 'operator',
    });
    expect(world.issuer.counters.refreshes).toBe(0);

    const repaired = world.start({ provider: { clientSecret: 'agent-secret' } });
    world.clock.skip(60_000);
    const again = await repaired.outlive.task(task.id);
    if (again === undefined) throw new Error('the task is gone');
    await usableAgain(world, again, grantId);
  });
});

describe('a store that goes away', () => {
  it('costs nothing before the claim: nothing was presented', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    using _away = failSwaps(process.store, ({ kind }) => kind === 'grant', {
      when: 'before',
      times: 1,
    });
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.presented(grantId)).toEqual([0]);

    await usableAgain(world, task, grantId);
  });

  it('keeps a process holding the new pair until it can be stored', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    using away = failSwaps(
      process.store,
      ({ kind, status }) => kind === 'grant' && status === 'idle',
      { when: 'before', times: 4 },
    );

    await usableAgain(world, task, grantId);
    expect(away.failed).toBe(4);
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect((await world.grantRecord()).generation).toBe(1);
  });

  it('loses no pair when neither writing nor reading works for a while', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    let failures = 0;
    let settling = false;
    using _away = process.store.intercept(async (call, proceed) => {
      settling ||= call.operation === 'compareAndSwap' && call.index?.status === 'idle';
      const grant = call.operation === 'get' || call.operation === 'compareAndSwap';
      if (!settling || !grant || failures >= 8) return proceed();
      failures += 1;
      throw new Error('the store is away');
    });

    await usableAgain(world, task, grantId);
    expect(failures).toBe(8);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('that has claimed but did not say so is believed after looking: one presentation', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    using lost = failSwaps(process.store, ({ status }) => status === 'refreshing', {
      when: 'after',
      times: 1,
    });

    await usableAgain(world, task, grantId);
    expect(lost.failed).toBe(1);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('that has stored the pair but did not say so is believed after looking: one generation', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    using lost = failSwaps(
      process.store,
      ({ kind, status }) => kind === 'grant' && status === 'idle',
      { when: 'after', times: 1 },
    );

    await usableAgain(world, task, grantId);
    expect(lost.failed).toBe(1);
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect((await world.grantRecord()).generation).toBe(1);
  });

  it('that did not say whether it noted a failure leaves the grant usable', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    using limited = world.issuer.fault(({ number }) =>
      number === 1 ? { fault: 'status', status: 429 } : undefined,
    );
    using _lost = failSwaps(
      process.store,
      ({ kind, status }) => kind === 'grant' && status === 'idle',
      { when: 'after', times: 1 },
    );
    const waiting = task.getAccessToken(reading);
    world.clock.skip(await backoffAfter(world, 1));

    expect((await waiting).generation).toBe(1);
    limited[Symbol.dispose]();
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });
});

describe('a response of the issuer', () => {
  it('that fails validation but holds a good pair is salvaged', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    using _odd = world.issuer.fault(({ number }) =>
      number === 1
        ? { fault: 'patch', patch: (response) => ({ ...response, id_token: 'not.a.jwt' }) }
        : undefined,
    );

    await usableAgain(world, task, grantId);
    await task.getAccessToken(reading, { rejectedGeneration: 1 });
    expect(world.presented(grantId)).toEqual([1, 1, 0]);
    await vi.waitFor(() =>
      expect(world.events).toContainEqual(
        expect.objectContaining({
          type: 'token-refreshed',
          generation: 1,
          reason: expect.stringMatching(/^salvaged: /),
        }),
      ),
    );
  });

  it('without a refresh token keeps the old one', async () => {
    const { world, task, grantId } = await setUp({ issuer: { rotate: false } });
    await using _ = world;
    using _silent = world.issuer.fault(() => ({
      fault: 'patch',
      patch: ({ refresh_token: _left, ...response }) => response,
    }));

    await usableAgain(world, task, grantId);
    const again = await task.getAccessToken(reading, { rejectedGeneration: 1 });
    expect(again.generation).toBe(2);
    expect(world.presented(grantId)).toEqual([2]);
  });

  it('is stored but not handed out, where the person was stopped meanwhile', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    using _turning = world.issuer.fault(() => {
      world.state = 'revoked';
      return undefined;
    });

    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'user_state',
      reason: 'revoked',
    });
    expect(await world.grantRecord()).toMatchObject({ generation: 1, state: { status: 'idle' } });
    await vi.waitFor(() =>
      expect(world.events.map(({ type }) => type)).toContain('token-withheld'),
    );

    world.state = 'active';
    await usableAgain(world, task, grantId);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('is not asked for at all, where the person is stopped already', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    world.state = 'paused';
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'user_state' });
    expect(world.presented(grantId)).toEqual([0]);
    expect((await world.grantRecord()).state.status).toBe('idle');
  });
});

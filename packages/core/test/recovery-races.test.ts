import { describe, expect, it, vi } from 'vitest';
import {
  patienceMs,
  requestTimeoutMs,
  rounds,
  settleMs,
  tokenAfterPatience,
  vanish,
} from './vanished-owner.ts';
import { createLatch, createWorld, reading, untilUnusableMs } from './world.ts';

describe('a second presentation', () => {
  it('is on record before it is made', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    const seen: unknown[] = [];
    using _watch = world.issuer.fault(async () => {
      seen.push((await world.grantRecord()).state);
      return undefined;
    });
    await tokenAfterPatience(setting);
    expect(seen).toEqual([
      expect.objectContaining({
        status: 'recovering',
        attempt: expect.objectContaining({ presentedAgain: true }),
      }),
    ]);
  });

  it('is not made by two processes that recover at the same time', async () => {
    const setting = await vanish({ at: 'before sending' }, { profile: { probe: true } });
    await using world = setting.world;
    const third = world.start();
    const found = await third.outlive.task(setting.task.id);
    if (found === undefined) throw new Error('the task is gone');
    const before = rounds(third);
    const there = found.getAccessToken(reading);
    await vi.waitFor(() => expect(rounds(third)).toBeGreaterThan(before + 1));
    const here = tokenAfterPatience(setting);

    const tokens = await Promise.all([here, there]);
    expect(new Set(tokens.map(({ accessToken }) => accessToken.reveal())).size).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });
});

describe('an owner that was only frozen', () => {
  it('does not send what it claimed too long ago', async () => {
    const until = createLatch();
    const setting = await vanish({ at: 'discovery', until });
    await using world = setting.world;
    await tokenAfterPatience(setting);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);

    until.open();
    expect(await setting.vanished).toMatchObject({ generation: 1 });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  });

  it('brings the pair home, also to a grant that was given up for lost', async () => {
    const until = createLatch();
    const setting = await vanish({ at: 'before storing', until }, { profile: { probe: true } });
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      reason: 'rotated_pair_lost',
    });

    until.open();
    expect(await setting.vanished).toMatchObject({ generation: 1 });
    expect((await setting.task.getAccessToken(reading)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('does not write over a pair that came after its own', async () => {
    const until = createLatch();
    const leewayMs = 3_600_000;
    const setting = await vanish(
      { at: 'before storing', until },
      { issuer: { reuse: { leewayMs } }, profile: { rotation: 'leeway', leewayMs } },
    );
    await using world = setting.world;
    const recovered = await tokenAfterPatience(setting);

    until.open();
    await setting.vanished;
    const { slots, generation } = await world.grantRecord();
    expect(generation).toBe(1);
    expect(Object.values(slots)[0]?.accessToken.reveal()).toBe(recovered.accessToken.reveal());
  });
});

describe('an attempt whose outcome is unknown to its own process', () => {
  it('is recovered by that process after the same wait', async () => {
    const world = await createWorld({
      process: { provider: { profile: { probe: true } }, policy: { requestTimeoutMs, settleMs } },
    });
    await using _ = world;
    const process = world.start();
    const grantId = await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    using _lost = world.issuer.fault(({ number }) =>
      number === 1 ? { fault: 'dropBefore' } : undefined,
    );
    const before = rounds(process);
    const token = task.getAccessToken(reading);
    await vi.waitFor(() => expect(world.issuer.counters.tokenRequests).toBe(1));
    await vi.waitFor(() => expect(rounds(process)).toBeGreaterThan(before + 2));
    expect((await world.grantRecord()).state.status).toBe('refreshing');
    world.clock.skip(patienceMs);

    expect((await token).generation).toBe(1);
    // The first request was dropped before the issuer looked at it, and introspection said so.
    expect(world.issuer.grant(grantId)).toEqual({ alive: true, generations: 1 });
    expect(world.presented(grantId)).toEqual([2, 0]);
  });

  it('makes a call give up waiting with a code that says so', async () => {
    const world = await createWorld({
      process: { policy: { requestTimeoutMs, settleMs, maxWaitMs: 5000 } },
    });
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    using _lost = world.issuer.fault(() => ({ fault: 'dropAfter' }));
    const before = rounds(process);
    const token = expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'in_doubt',
      recovery: 'wait',
    });
    await vi.waitFor(() => expect(rounds(process)).toBeGreaterThan(before + 2));
    world.clock.skip(5000);
    await token;
  });
});

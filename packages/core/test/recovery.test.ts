import { describe, expect, it, vi } from 'vitest';
import type { IssuerProfile, Journal, Secret, Task } from '../src/index.ts';
import {
  createLatch,
  createWorld,
  type Latch,
  never,
  type Process,
  type ProcessOptions,
  reading,
  untilUnusableMs,
  type World,
} from './world.ts';

const requestTimeoutMs = 10_000;
const settleMs = 2000;
const patienceMs = requestTimeoutMs + settleMs;

/** Where on its way a refresh stops for ever, or until somebody opens the latch. */
interface Stop {
  readonly at: 'discovery' | 'before sending' | 'after presenting' | 'before storing';
  readonly until?: Latch;
}

interface Setting {
  readonly world: World;
  readonly grantId: string;
  /** The process that looks for a token after the other one vanished. */
  readonly other: Process;
  readonly task: Task;
  /** What the vanished process would answer its caller, were it to come back. */
  readonly vanished: Promise<unknown>;
}

/** A process claims a refresh and vanishes at `stop`; another one looks for a token. */
async function vanish(
  stop: Stop,
  options: {
    readonly issuer?: Parameters<typeof createWorld>[0] extends infer W
      ? W extends { issuer?: infer I }
        ? I
        : never
      : never;
    readonly profile?: Partial<IssuerProfile>;
    readonly lost?: ProcessOptions;
    readonly other?: ProcessOptions;
  } = {},
): Promise<Setting> {
  const provider = { profile: options.profile ?? {} };
  const world = await createWorld({
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    process: { provider, policy: { requestTimeoutMs, settleMs, journalGraceMs: 60_000 } },
  });
  const reached = createLatch();
  const wait = (): Promise<void> => {
    reached.open();
    return stop.until?.opened ?? never();
  };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const isToken = String(input).endsWith('/token');
    if (stop.at === 'discovery' && !isToken) await wait();
    if (stop.at === 'before sending' && isToken) await wait();
    // Held together with its answer: a time-out on this side reaches nothing.
    const response = await globalThis.fetch(input, { ...init, signal: null });
    if (stop.at === 'after presenting' && isToken) await wait();
    return response;
  };
  const lost = world.start({ ...options.lost, provider: { ...provider, fetch } });
  const grantId = await world.grant(lost);
  const task = await world.task(lost);
  world.clock.skip(untilUnusableMs);
  if (stop.at === 'before storing')
    lost.store.intercept(async (call, proceed) => {
      if (call.operation === 'compareAndSwap' && call.index?.status === 'idle') await wait();
      return proceed();
    });
  const vanished = task.getAccessToken(reading).catch((error: unknown) => error);
  await reached.opened;
  if (stop.until === undefined) lost.kill();
  const other = world.start(options.other);
  const found = await other.outlive.task(task.id);
  if (found === undefined) throw new Error('the task is gone');
  return { world, grantId, other, task: found, vanished };
}

/** Reads of the grant so far: each round of a waiting call makes one. */
function rounds({ store }: Process): number {
  return store.calls.filter(({ operation, key }) => operation === 'get' && key.startsWith('grant'))
    .length;
}

/** Asks for a token, lets the other process see the attempt unchanged for the whole wait, and gives its answer. */
async function tokenAfterPatience({ world, other, task }: Setting, waitMs = patienceMs) {
  const before = rounds(other);
  const token = task.getAccessToken(reading);
  // Whoever awaits it comes later; until then a refusal must not count as unhandled.
  token.catch(() => undefined);
  await vi.waitFor(() => expect(rounds(other)).toBeGreaterThan(before + 1));
  world.clock.skip(waitMs);
  return token;
}

function tinyJournal(host: string) {
  const entries = new Map<string, Secret>();
  const journal: Journal = {
    host,
    write: async (attemptId, body) => void entries.set(attemptId, body),
    read: async (attemptId) => entries.get(attemptId),
    erase: async (attemptId) => void entries.delete(attemptId),
  };
  return { journal, entries };
}

describe('an attempt whose owner vanished', () => {
  it('is left alone until this process has seen it unchanged for the whole wait', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    await expect(tokenAfterPatience(setting, patienceMs - 2000)).toSettleNever();
    expect(world.presented(setting.grantId)).toEqual([0]);
    expect((await world.grantRecord()).state.status).toBe('refreshing');
    world.clock.skip(2000);
    await vi.waitFor(() => expect(world.presented(setting.grantId)).toEqual([1, 0]));
  });

  it('is settled with the response that its journal holds', async () => {
    const { journal, entries } = tinyJournal('disk');
    const setting = await vanish(
      { at: 'before storing' },
      { lost: { journal }, other: { journal } },
    );
    await using world = setting.world;
    expect(entries.size).toBe(1);

    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(entries.size).toBe(0);
    await setting.task.getAccessToken(reading, { rejectedGeneration: 1 });
    expect(world.presented(setting.grantId)).toEqual([1, 1, 0]);
  });

  it('waits a grace for the disk that may hold the response', async () => {
    const { journal } = tinyJournal('their disk');
    const setting = await vanish(
      { at: 'before storing' },
      { lost: { journal }, profile: { probe: true } },
    );
    await using world = setting.world;
    const token = tokenAfterPatience(setting, patienceMs + 50_000);
    token.catch(() => undefined);
    await expect(token).toSettleNever();
    expect((await world.grantRecord()).state.status).toBe('refreshing');

    world.clock.skip(20_000);
    await expect(token).rejects.toMatchObject({ reason: 'rotated_pair_lost' });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is made again where the issuer does not rotate', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { issuer: { rotate: false }, profile: { rotation: 'none' } },
    );
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([2]);
  });

  it('is made again where the issuer says that the token was not used', async () => {
    const setting = await vanish({ at: 'before sending' }, { profile: { probe: true } });
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(world.issuer.counters.introspections).toBe(1);
  });

  it('is given up where a strict issuer says that the token was used', async () => {
    const setting = await vanish({ at: 'after presenting' }, { profile: { probe: true } });
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'rotated_pair_lost',
    });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(world.issuer.grant(setting.grantId).alive).toBe(true);
  });

  it('is made again where the token stays valid until its child is used', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { issuer: { reuse: 'untilChildUsed' }, profile: { rotation: 'untilChildUsed' } },
    );
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.issuer.grant(setting.grantId)).toEqual({ alive: true, generations: 2 });
    expect(world.presented(setting.grantId)).toEqual([2, 0, 0]);
  });

  it('is made again within the leeway of the issuer', async () => {
    const leewayMs = 3_600_000;
    const setting = await vanish(
      { at: 'after presenting' },
      { issuer: { reuse: { leewayMs } }, profile: { rotation: 'leeway', leewayMs } },
    );
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.issuer.grant(setting.grantId).alive).toBe(true);
    expect(world.presented(setting.grantId)[0]).toBe(2);
  });

  it('is not made again once the leeway has passed, where the policy is to ask the person', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { profile: { rotation: 'leeway', leewayMs: 10_000, whenInDoubt: 'reauthorize' } },
    );
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ reason: 'in_doubt' });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is made again once where nobody can tell: that saves the person a sign-in if it was not used', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('ends the grant where it was used after all, which costs no more than asking the person', async () => {
    const setting = await vanish({ at: 'after presenting' });
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'rejected',
    });
    expect(world.presented(setting.grantId)[0]).toBe(2);
  });

  it('is not made a third time: in doubt again, the person is asked', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    using _lost = world.issuer.fault(() => ({ fault: 'dropBefore' }));
    const token = tokenAfterPatience(setting);
    token.catch(() => undefined);
    await vi.waitFor(() => expect(world.presented(setting.grantId)).toEqual([1]));
    const before = rounds(setting.other);
    await vi.waitFor(() => expect(rounds(setting.other)).toBeGreaterThan(before + 2));
    world.clock.skip(patienceMs);

    await expect(token).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'in_doubt',
    });
    expect(world.presented(setting.grantId)).toEqual([1]);
  });

  it('is given up at once where the policy is to ask the person', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { profile: { whenInDoubt: 'reauthorize' } },
    );
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ reason: 'in_doubt' });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });
});

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
    // The first request never reached the issuer's books as a success; the probe said so.
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
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'in_doubt',
      recovery: 'wait',
    });
  });
});

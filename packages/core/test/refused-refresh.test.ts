import { describe, expect, it, vi } from 'vitest';
import type { Task } from '../src/index.ts';
import { patienceMs, requestTimeoutMs, rounds, settleMs } from './vanished-owner.ts';
import { createWorld, type Process, reading, untilUnusableMs, type World } from './world.ts';

/** An issuer that rotates first and refuses then. */
const refusing =
  (when: () => boolean): typeof globalThis.fetch =>
  async (input, init) => {
    const response = await globalThis.fetch(input, init);
    if (!String(input).endsWith('/token') || !when()) return response;
    await response.text();
    return Response.json({ error: 'invalid_target' }, { status: 400 });
  };

async function setUp(profile: object, when: () => boolean) {
  const world = await createWorld({
    process: {
      provider: { profile, fetch: refusing(when) },
      policy: { requestTimeoutMs, settleMs },
    },
  });
  const process = world.start();
  const grantId = await world.grant(process);
  const task = await world.task(process);
  world.clock.skip(untilUnusableMs);
  return { world, process, grantId, task };
}

/** Asks again and lets the process see the attempt unchanged until it recovers. */
async function refusedAfterPatience(world: World, process: Process, task: Task): Promise<void> {
  const before = rounds(process);
  const refused = expect(task.getAccessToken(reading)).rejects.toThrow();
  await vi.waitFor(() => expect(rounds(process)).toBeGreaterThan(before + 1));
  world.clock.skip(patienceMs);
  await refused;
}

describe('a refresh that the issuer refuses with an error about the request', () => {
  it('is not presented again where the policy is to ask the person: the token may be used', async () => {
    const { world, process, grantId, task } = await setUp(
      { whenInDoubt: 'reauthorize' },
      () => true,
    );
    await using _ = world;
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'issuer_refused' });
    await refusedAfterPatience(world, process, task);
    expect((await world.grantRecord()).state).toMatchObject({ status: 'dead', death: 'in_doubt' });
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  });

  it('is presented again by recovery, and the same answer then says that the token is not used', async () => {
    const { world, process, task } = await setUp({}, () => false);
    await using _ = world;
    using _refused = world.issuer.fault(() => ({
      fault: 'status',
      status: 400,
      body: { error: 'invalid_scope' },
    }));
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'issuer_refused' });
    expect((await world.grantRecord()).state.status).toBe('refreshing');
    await refusedAfterPatience(world, process, task);
    expect((await world.grantRecord()).state).toMatchObject({ status: 'idle' });
  });

  it('is left alone for an hour at most, whatever Retry-After says', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ policy: { maxWaitMs: 100 } });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    using _limited = world.issuer.fault(() => ({
      fault: 'status',
      status: 429,
      headers: { 'retry-after': '999999999' },
    }));
    await expect(task.getAccessToken(reading)).rejects.toThrow();
    // The caller's patience may end before the answer is written down.
    await vi.waitFor(async () =>
      expect((await world.grantRecord()).state).toMatchObject({
        status: 'idle',
        retryAfterMs: 3_600_000,
      }),
    );
  });
});

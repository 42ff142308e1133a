import { describe, expect, it, vi } from 'vitest';
import { AuthError, type Requirement } from '../src/index.ts';
import {
  alice,
  createLatch,
  createWorld,
  lifetimeMs,
  reading,
  untilDueMs,
  untilUnusableMs,
  writing,
} from './world.ts';

const indices = [...Array(100).keys()];

/** A world with one process, one grant and one task of alice's. */
async function setUp(options: Parameters<typeof createWorld>[0] = {}) {
  const world = await createWorld(options);
  const process = world.start();
  const grantId = await world.grant(process);
  const task = await world.task(process);
  return { world, process, grantId, task };
}

/** Sees how many token requests of all who use its `fetch` are under way together. */
function overlapMeter() {
  let open = 0;
  let most = 0;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (!String(input).endsWith('/token')) return globalThis.fetch(input, init);
    open += 1;
    most = Math.max(most, open);
    try {
      return await globalThis.fetch(input, init);
    } finally {
      open -= 1;
    }
  };
  return { fetch, most: () => most };
}

describe('a fresh access token', () => {
  it('is handed out without any I/O', async () => {
    const { world, process, task } = await setUp();
    await using _ = world;
    const first = await task.getAccessToken(reading);
    const { tokenRequests } = world.issuer.counters;
    const callsBefore = process.store.calls.length;

    for (const _index of indices) expect(await task.getAccessToken(reading)).toBe(first);

    expect(process.store.calls.length).toBe(callsBefore);
    expect(world.issuer.counters.tokenRequests).toBe(tokenRequests);
    expect(tokenRequests).toBe(0);
  });
});

describe('a due access token', () => {
  it('is served at once while one refresh for all callers runs behind it', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    const answered = createLatch();
    using _held = world.issuer.fault(() => answered.opened.then(() => undefined));

    const served = await Promise.all(indices.map(() => task.getAccessToken(reading)));

    expect(new Set(served.map(({ generation }) => generation))).toEqual(new Set([0]));
    expect(world.issuer.counters.refreshes).toBe(0);
    answered.open();
    await vi.waitFor(async () => expect((await task.getAccessToken(reading)).generation).toBe(1));
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('goes on being served while its refresh fails', async () => {
    const { world, task } = await setUp();
    await using _ = world;
    await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    using _away = world.issuer.fault(() => ({ fault: 'status', status: 429 }));

    expect((await task.getAccessToken(reading)).generation).toBe(0);
    await vi.waitFor(() => expect(world.issuer.counters.tokenRequests).toBe(1));
    expect((await task.getAccessToken(reading)).generation).toBe(0);
  });
});

describe('an unusable access token', () => {
  it('makes a hundred callers wait for one refresh', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    const old = await task.getAccessToken(reading);
    world.clock.skip(untilUnusableMs);

    const served = await Promise.all(indices.map(() => task.getAccessToken(reading)));

    expect(new Set(served.map(({ generation }) => generation))).toEqual(new Set([1]));
    expect(served[0]?.accessToken.reveal()).not.toBe(old.accessToken.reveal());
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('makes callers of two processes wait for one refresh', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    const other = await world.start().outlive.task(task.id);
    world.clock.skip(untilUnusableMs);

    const served = await Promise.all(
      indices.map((index) => (index % 2 === 0 ? task : other)?.getAccessToken(reading)),
    );

    expect(new Set(served.map((token) => token?.accessToken.reveal())).size).toBe(1);
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  });
});

describe('a token that a resource refuses', () => {
  it('is refreshed once, and the call is made again', async () => {
    const { world, process, task, grantId } = await setUp();
    await using _ = world;
    world.api.rejectNext(1);
    const call = task
      .startRun()
      .call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });

    expect((await call.principal.fetch('items')).status).toBe(200);
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect(world.api.tokensSeen.size).toBe(2);
    expect((await process.outlive.explain(task.id)).text).toContain(
      'api refused the token of the grant (generation 0)',
    );
  });

  it('costs one refresh however many calls were refused with it', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    await task.getAccessToken(reading);

    const served = await Promise.all(
      indices.map(() => task.getAccessToken(reading, { rejectedGeneration: 0 })),
    );

    expect(new Set(served.map(({ generation }) => generation))).toEqual(new Set([1]));
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('is replaced by a newer one without a refresh, where the refusal is stale', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    const elsewhere = await world.start().outlive.task(task.id);
    expect((await elsewhere?.getAccessToken(reading))?.generation).toBe(0);
    await task.getAccessToken(reading, { rejectedGeneration: 0 });
    const { tokenRequests } = world.issuer.counters;

    const here = await task.getAccessToken(reading, { rejectedGeneration: 0 });
    const there = await elsewhere?.getAccessToken(reading, { rejectedGeneration: 0 });

    expect([here.generation, there?.generation]).toEqual([1, 1]);
    expect(world.issuer.counters.tokenRequests).toBe(tokenRequests);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('ends the call when the refreshed one is refused too', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    world.api.rejectNext(2);
    const run = task.startRun();
    const call = run.call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });

    await expect(call.principal.fetch('items')).rejects.toMatchObject({
      code: 'rejected_after_refresh',
    });
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect(await run.finish()).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'rejected_after_refresh', recovery: 'operator' } },
    });
  });

  it('is compared within its own slot: the newer token of another task is no answer', async () => {
    const { world, process } = await setUp({
      process: { provider: { delegation: 'narrowedRefresh' } },
    });
    await using _ = world;
    const reader = await world.task(process, { requirements: [reading] });
    const writer = await world.task(process, { requirements: [writing] });
    const read = await reader.getAccessToken(reading);
    const written = await writer.getAccessToken(writing);
    expect(written.generation).toBeGreaterThan(read.generation);

    const renewed = await reader.getAccessToken(reading, { rejectedGeneration: read.generation });

    expect(renewed.generation).toBeGreaterThan(written.generation);
    expect(renewed.scopes).toEqual(['read']);
  });
});

describe('the slots of one grant', () => {
  const requirements: readonly Requirement[] = [reading, writing];

  it('are refreshed in turn, never in parallel, also by two processes', async () => {
    const world = await createWorld();
    await using _ = world;
    const meter = overlapMeter();
    const own = { provider: { fetch: meter.fetch, delegation: 'narrowedRefresh' } } as const;
    const processes = [world.start(own), world.start(own)];
    const [first] = processes;
    if (first === undefined) return;
    const grantId = await world.grant(first);
    const tasks = await Promise.all(
      processes.flatMap((process) =>
        requirements.map(async (requirement) => ({
          requirement,
          task: await world.task(process, { requirements: [requirement] }),
        })),
      ),
    );

    const tokens = await Promise.all(
      tasks.map(({ task, requirement }) => task.getAccessToken(requirement)),
    );

    expect(tokens.map(({ generation }) => generation).toSorted()).toEqual([1, 2, 3, 4]);
    expect(world.presented(grantId)).toEqual([1, 1, 1, 1, 0]);
    expect(meter.most()).toBe(1);
    expect(world.issuer.counters).toMatchObject({ refreshes: 4, reuseDetected: 0 });
  });

  it('keep the other access tokens when one is refreshed', async () => {
    const { world, process } = await setUp({
      process: { provider: { delegation: 'narrowedRefresh' } },
    });
    await using _ = world;
    const reader = await world.task(process, { requirements: [reading] });
    const read = await reader.getAccessToken(reading);
    const writer = await world.task(process, { requirements: [writing] });
    await writer.getAccessToken(writing);

    const again = await reader.getAccessToken(reading);

    expect(again.accessToken.reveal()).toBe(read.accessToken.reveal());
    expect(await world.issuer.accessToken(read.accessToken.reveal())).toBeDefined();
  });
});

describe('a caller who stops waiting', () => {
  it('is told so, while the refresh goes on for others', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    world.clock.skip(untilUnusableMs);
    const answered = createLatch();
    using _held = world.issuer.fault(() => answered.opened.then(() => undefined));
    const caller = new AbortController();

    const impatient = task.getAccessToken(reading, { signal: caller.signal });
    const patient = task.getAccessToken(reading);
    await vi.waitFor(() => expect(world.issuer.counters.tokenRequests).toBe(1));
    caller.abort(new Error('the user left'));

    await expect(impatient).rejects.toMatchObject({ code: 'cancelled' });
    answered.open();
    expect((await patient).generation).toBe(1);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });
});

describe('a grant that is dead', () => {
  it('is remembered: no further request goes to the issuer, from any process', async () => {
    const { world, task } = await setUp();
    await using _ = world;
    const elsewhere = await world.start().outlive.task(task.id);
    world.clock.skip(untilUnusableMs);
    world.issuer.user('alice').active = false;

    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'reauthorization_required',
    });
    const { tokenRequests } = world.issuer.counters;
    for (const one of [task, elsewhere, task, elsewhere])
      await expect(one?.getAccessToken(reading)).rejects.toSatisfy(
        (error) => AuthError.is(error) && error.code === 'reauthorization_required',
      );

    expect(tokenRequests).toBe(1);
    expect(world.issuer.counters.tokenRequests).toBe(1);
    expect((await world.grantRecord()).refreshToken).toBeDefined();
  });

  it('starts no task', async () => {
    const { world, process, task } = await setUp();
    await using _ = world;
    world.clock.skip(untilUnusableMs);
    world.issuer.user('alice').active = false;
    await expect(task.getAccessToken(reading)).rejects.toThrow();

    await expect(world.task(process)).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'rejected',
    });
  });

  it('is replaced by importing another, which running tasks then use', async () => {
    const { world, process, task } = await setUp();
    await using _ = world;
    world.clock.skip(untilUnusableMs);
    world.issuer.user('alice').active = false;
    await expect(task.getAccessToken(reading)).rejects.toThrow();
    world.issuer.user('alice').active = true;

    await world.grant(process);

    expect((await task.getAccessToken(reading)).generation).toBe(1);
  });
});

describe('a service principal', () => {
  it('gets tokens of its own, through the same gate', async () => {
    const world = await createWorld();
    await using _ = world;
    const { outlive } = world.start();
    const principal = { subject: 'nightly-report' };
    await outlive.grants.addServicePrincipal({ provider: 'p', principal });
    const task = await outlive.startTask({
      principal,
      agent: 'agent',
      requirements: [reading],
      expectedDurationMs: 3_600_000,
    });

    const token = await task.getAccessToken(reading);
    expect(await world.issuer.accessToken(token.accessToken.reveal())).toMatchObject({
      subject: 'agent',
    });
    world.clock.skip(lifetimeMs);
    world.state = 'revoked';
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'user_state' });
    expect(world.issuer.counters.tokenRequests).toBe(1);
  });
});

describe('a principal without a grant', () => {
  it('starts no task', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    await expect(world.task(process, { principal: alice })).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'no_grant',
    });
  });
});

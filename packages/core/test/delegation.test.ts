import { describe, expect, it, vi } from 'vitest';
import type { DelegationStrategyName } from '../src/index.ts';
import { factsOf, heldRequests, recovered, revocationsFail } from './exchanging.ts';
import {
  alice,
  createWorld,
  never,
  type ProcessOptions,
  reading,
  untilDueMs,
  writing,
} from './world.ts';

const ends = { token: 'token', grant: 'grant' } as const;

/** A world whose issuer revokes one token, or with it the whole grant, and whose app knows that. */
async function setUp(
  what: 'token' | 'grant' = 'token',
  delegation: DelegationStrategyName = 'narrowedRefresh',
  options: ProcessOptions = {},
) {
  const world = await createWorld({
    issuer: { accessTokenRevocation: ends[what] },
    process: { provider: { delegation, profile: { accessTokenRevocation: what } } },
  });
  const process = world.start(options);
  const grantId = await world.grant(process);
  return { world, process, grantId };
}

describe('a task with tokens of its own', () => {
  it('works with the scopes it was started with, and no more', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const reader = await world.task(process, { requirements: [reading] });
    const both = await world.task(process, { requirements: [writing, reading] });

    const narrow = await reader.getAccessToken(reading);
    const wide = await both.getAccessToken(reading);

    expect((await factsOf(world, narrow))?.scopes).toEqual(['read']);
    expect((await factsOf(world, wide))?.scopes.toSorted()).toEqual(['read', 'write']);
  });

  it('pauses when a tool wants more, before anything is sent', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const run = task.startRun();
    const call = run.call({ requirement: writing, toolName: 't', toolCallId: 'c', input: {} });

    await expect(call.principal.fetch('items', { method: 'POST' })).rejects.toMatchObject({
      code: 'insufficient_scope',
    });
    expect(await run.finish()).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'insufficient_scope' }, call: { scopes: ['write'] } },
    });
    expect(world.api.tokensSeen.size).toBe(0);
    expect(world.issuer.counters.tokenRequests).toBe(0);
  });

  it('pauses when the API wants more than the tool declared, and says what it wants', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const run = task.startRun();
    const call = run.call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });

    await expect(call.principal.fetch('items', { method: 'POST' })).rejects.toMatchObject({
      code: 'insufficient_scope',
    });
    expect(await run.finish()).toMatchObject({
      status: 'paused',
      pause: { reason: { requiredScopes: ['write'] } },
    });
  });
});

describe('the end of a task', () => {
  it('revokes its own token and nothing else, where the issuer can', async () => {
    const { world, process, grantId } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const other = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);
    const others = await other.getAccessToken(reading);

    const end = await task.complete();

    expect(end).toEqual({
      status: 'completed',
      delegations: [{ delegationId: expect.any(String), resource: 'api', status: 'revoked' }],
    });
    expect(await factsOf(world, own)).toBeUndefined();
    expect(await factsOf(world, others)).toBeDefined();
    expect(world.issuer.grant(grantId).alive).toBe(true);
    expect(world.issuer.counters.revocations).toBe(1);
    expect((await other.getAccessToken(reading)).generation).toBe(others.generation);
  });

  it.each(['complete', 'cancel', 'fail'] as const)('by %s revokes it', async (way) => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);
    await task[way]();
    expect(await factsOf(world, own)).toBeUndefined();
  });

  it('by running out of time revokes it, when somebody looks', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading], expectedDurationMs: 1000 });
    const own = await task.getAccessToken(reading);
    world.clock.skip(1201);
    expect(await process.outlive.maintain()).toMatchObject({ tasksExpired: 1 });
    expect(await factsOf(world, own)).toBeUndefined();
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_ended' });
  });

  it('revokes nothing where that would end the whole grant, and tells until when the token works', async () => {
    const { world, process, grantId } = await setUp('grant');
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);

    const end = await task.complete();

    expect(end).toMatchObject({
      authorityEndsAt: own.expiresAt,
      delegations: [{ status: 'lapsing', authorityEndsAt: own.expiresAt }],
    });
    expect(world.issuer.counters.revocations).toBe(0);
    expect(world.issuer.grant(grantId).alive).toBe(true);
    expect(await factsOf(world, own)).toBeDefined();
  });

  it('leaves a shared token to others, and tells until when it works', async () => {
    const { world, process, grantId } = await setUp('token', 'shared');
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const shared = await task.getAccessToken(reading);
    expect(await task.complete()).toMatchObject({ authorityEndsAt: shared.expiresAt });
    expect(world.issuer.counters.revocations).toBe(0);
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });

  it('revokes the token that was replaced, too: it still works', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const first = await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    await vi.waitFor(async () =>
      expect((await task.getAccessToken(reading)).generation).toBeGreaterThan(first.generation),
    );

    expect(await task.complete()).toMatchObject({ delegations: [{ status: 'revoked' }] });

    expect(await factsOf(world, first)).toBeUndefined();
    expect(world.issuer.counters.revocations).toBe(2);
  });

  it.each([
    ['was replaced', true],
    ['has died', false],
  ])('revokes the token of a grant that %s meanwhile', async (_what, replaced) => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);
    if (replaced) await world.grant(process, { replace: true });
    else {
      using _no = world.issuer.fault(() => ({
        fault: 'status',
        status: 400,
        body: { error: 'invalid_grant' },
      }));
      const again = task.getAccessToken(reading, { rejectedGeneration: own.generation });
      await expect(again).rejects.toMatchObject({ code: 'reauthorization_required' });
    }

    expect(await task.complete()).toMatchObject({ delegations: [{ status: 'revoked' }] });

    expect(await factsOf(world, own)).toBeUndefined();
  });

  it('tells of a token whose response was lost', async () => {
    const { world } = await setUp();
    await using _ = world;
    world.issuer.options.reuse = 'untilChildUsed';
    world.issuer.options.accessTokenLifetimeMs = 24 * 3_600_000;
    const careful = world.start({
      provider: {
        delegation: 'narrowedRefresh',
        profile: {
          accessTokenRevocation: 'token',
          rotation: 'untilChildUsed',
          longestAccessTokenMs: 48 * 3_600_000,
        },
      },
      policy: { maxWaitMs: 24 * 3_600_000 },
    });
    const task = await world.task(careful, { requirements: [reading] });
    using _lost = world.issuer.fault(({ number }) =>
      number === 1 ? { fault: 'dropAfter' } : undefined,
    );
    const token = await recovered(world, task.getAccessToken(reading));
    const end = await task.complete();
    expect(end).toMatchObject({ delegations: [{ status: 'lapsing' }] });
    expect(end.authorityEndsAt).toBeGreaterThan(token.expiresAt);
  });

  it('asks the issuer nothing where no token was ever minted', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const end = await task.complete();
    expect(end.delegations).toMatchObject([{ status: 'revoked' }]);
    expect(end.authorityEndsAt).toBeUndefined();
    expect(world.issuer.counters.revocations).toBe(0);
  });

  it('says how it ended when it is ended again, and revokes nothing twice', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    await task.getAccessToken(reading);
    const first = await task.complete();
    expect(await task.cancel('late')).toEqual(first);
    expect(world.issuer.counters.revocations).toBe(1);
  });

  it('does not forget a token that was being minted', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    using held = heldRequests(world);
    const token = task.getAccessToken(reading).catch((error: unknown) => error);
    await held.arrived;

    expect((await task.complete()).delegations).toMatchObject([{ status: 'revoking' }]);
    held.release();
    expect(await token).toMatchObject({ code: 'task_ended' });
    world.clock.skip(2001);
    expect(await process.outlive.maintain()).toMatchObject({ delegationsEnded: 1 });
    const { slots } = await world.grantRecord();
    const [minted] = Object.entries(slots).flatMap(([key, slot]) =>
      key.startsWith('delegation') ? [slot] : [],
    );
    if (minted === undefined) throw new Error('nothing was minted');
    expect(await factsOf(world, minted)).toBeUndefined();
  });
});

describe('a task that ended while its call waited for the refresh of another', () => {
  it('gets no token any more: nothing is minted for it', async () => {
    const { world, process, grantId } = await setUp();
    await using _ = world;
    const first = await world.task(process, { requirements: [reading] });
    const second = await world.task(process, { requirements: [reading] });
    using held = heldRequests(world);
    const one = first.getAccessToken(reading);
    await held.arrived;
    const other = second.getAccessToken(reading).catch((error: unknown) => error);
    const reads = process.store.calls.length;
    await vi.waitFor(() => expect(process.store.calls.length).toBeGreaterThan(reads));

    const end = await second.complete();
    held.release();

    expect(await one).toMatchObject({ generation: 1 });
    expect(await other).toMatchObject({ code: 'task_ended' });
    expect(end.delegations).toMatchObject([{ status: 'revoked' }]);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });
});

describe('a principal who is revoked', () => {
  it('takes along the narrower tokens of their tasks, and not the grant', async () => {
    const { world, process, grantId } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);

    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });

    await vi.waitFor(async () => expect(await factsOf(world, own)).toBeUndefined());
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });

  it('leaves what others may work with, too, to lapse', async () => {
    const { world, process } = await setUp('token', 'shared');
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    await task.getAccessToken(reading);
    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    await process.outlive.maintain();
    expect(world.issuer.counters.revocations).toBe(0);
  });
});

describe('a revocation that fails', () => {
  it('is told, and tried again by maintenance until it has worked', async () => {
    const issuer = revocationsFail();
    const { world, process } = await setUp('token', 'narrowedRefresh', {
      provider: {
        delegation: 'narrowedRefresh',
        profile: { accessTokenRevocation: 'token' },
        fetch: issuer.fetch,
      },
    });
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);

    expect(await task.complete()).toMatchObject({
      authorityEndsAt: own.expiresAt,
      delegations: [{ status: 'revoking' }],
    });
    expect(await process.outlive.maintain()).toMatchObject({ delegationsEnded: 0 });
    world.clock.skip(2001);
    expect(await process.outlive.maintain()).toMatchObject({ delegationsEnded: 0 });
    issuer.back();
    expect(await factsOf(world, own)).toBeDefined();
    world.clock.skip(4001);
    expect(await process.outlive.maintain()).toMatchObject({ delegationsEnded: 1 });
    expect(await factsOf(world, own)).toBeUndefined();
    world.clock.skip(60_000);
    expect(await process.outlive.maintain()).toMatchObject({ delegationsEnded: 0 });
  });

  it('is taken up by another process when its own has died', async () => {
    const { world, process } = await setUp();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const own = await task.getAccessToken(reading);
    process.store.intercept((call, proceed) =>
      call.index?.kind === 'delegation' ? never() : proceed(),
    );
    task.complete().catch(() => undefined);
    const other = world.start();
    await vi.waitFor(async () =>
      expect((await world.start().outlive.task(task.id))?.status).toBe('completed'),
    );
    process.kill();

    world.clock.skip(6000);
    await other.outlive.maintain();
    expect(await factsOf(world, own)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import type { Task } from '../src/index.ts';
import {
  apiOf,
  delegationsOf,
  eventually,
  exchanging,
  exchangingWorld,
  factsOf,
  heldRequests,
  recovered,
  revocationsFail,
} from './exchanging.ts';
import { alice, lifetimeMs, never, type Process, reading, untilDueMs } from './world.ts';

const hourMs = 3_600_000;

async function existing({ outlive }: Process, taskId: string): Promise<Task> {
  const task = await outlive.task(taskId);
  if (task === undefined) throw new Error(`there is no task ${taskId}`);
  return task;
}

describe('the end of a task with exchanged tokens', () => {
  it.each(['complete', 'cancel', 'fail'] as const)(
    'by %s revokes its token, and neither the grant nor the tokens of others',
    async (way) => {
      const { world, process, task, grantId } = await exchangingWorld();
      await using _ = world;
      const other = await world.task(process, { requirements: [reading] });
      const own = await task.getAccessToken(reading);
      const others = await other.getAccessToken(reading);

      expect(await task[way]()).toMatchObject({ delegations: [{ status: 'revoked' }] });

      expect(await factsOf(world, own)).toBeUndefined();
      expect(await factsOf(world, others)).toBeDefined();
      expect(world.issuer.grant(grantId).alive).toBe(true);
      await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_ended' });
    },
  );

  it('revokes the tokens that were replaced, too: they still work', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    const first = await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    await eventually(async () =>
      expect((await task.getAccessToken(reading)).generation).toBeGreaterThan(first.generation),
    );
    const second = await task.getAccessToken(reading);
    expect(await factsOf(world, first)).toBeDefined();

    expect((await task.complete()).authorityEndsAt).toBeUndefined();

    expect(await factsOf(world, first)).toBeUndefined();
    expect(await factsOf(world, second)).toBeUndefined();
    expect(world.issuer.counters.revocations).toBe(2);
  });

  it('is made up for by another process when its own is gone', async () => {
    const { world, process } = await exchangingWorld();
    await using _ = world;
    const task = await world.task(process, { requirements: [reading], expectedDurationMs: 50_000 });
    const own = await task.getAccessToken(reading);
    process.kill();
    world.clock.skip(60_001);

    const other = world.start({ resources: { api: apiOf(world) } });
    expect(await other.outlive.maintain()).toMatchObject({ tasksExpired: 1 });

    expect(await factsOf(world, own)).toBeUndefined();
    expect((await other.outlive.task(task.id))?.status).toBe('expired');
  });

  it('is tried again until it has worked, by whichever process', async () => {
    const issuer = revocationsFail();
    const { world, task } = await exchangingWorld({ provider: { fetch: issuer.fetch } });
    await using _ = world;
    const own = await task.getAccessToken(reading);
    expect(await task.complete()).toMatchObject({
      authorityEndsAt: own.expiresAt,
      delegations: [{ status: 'revoking' }],
    });
    issuer.back();
    const other = world.start({ resources: { api: apiOf(world) } });
    world.clock.skip(2001);
    expect(await other.outlive.maintain()).toMatchObject({ delegationsEnded: 1 });
    expect(await factsOf(world, own)).toBeUndefined();
    world.clock.skip(hourMs);
    expect(await other.outlive.maintain()).toMatchObject({ delegationsEnded: 0 });
  });
});

describe('an issuer where an exchanged token lives on the grant of the user', () => {
  const sharing = {
    issuer: { exchangedTokenGrant: 'subject' },
    provider: { profile: { exchangedTokenGrant: 'subject' } },
  } as const;

  it('is asked to revoke nothing, and the end says until when the token works', async () => {
    const { world, task, grantId } = await exchangingWorld(sharing);
    await using _ = world;
    const own = await task.getAccessToken(reading);
    expect(await task.complete()).toMatchObject({
      authorityEndsAt: own.expiresAt,
      delegations: [{ status: 'lapsing', authorityEndsAt: own.expiresAt }],
    });
    expect(world.issuer.counters.revocations).toBe(0);
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });

  it('would have ended everything the user has: that is what a wrong profile costs', async () => {
    const { world, task, grantId } = await exchangingWorld({
      ...sharing,
      provider: { profile: { exchangedTokenGrant: 'own' } },
    });
    await using _ = world;
    await task.getAccessToken(reading);
    await task.complete();
    expect(world.issuer.grant(grantId).alive).toBe(false);
  });

  it('revokes it all the same where a revocation ends one token only', async () => {
    const { world, task, grantId } = await exchangingWorld({
      issuer: { ...sharing.issuer, accessTokenRevocation: 'token' },
      provider: { profile: { exchangedTokenGrant: 'subject', accessTokenRevocation: 'token' } },
    });
    await using _ = world;
    const own = await task.getAccessToken(reading);
    expect(await task.complete()).toMatchObject({ delegations: [{ status: 'revoked' }] });
    expect(await factsOf(world, own)).toBeUndefined();
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });
});

it('a token that the issuer cannot revoke lapses, and is not tried for ever', async () => {
  const { world, process, task } = await exchangingWorld();
  await using _ = world;
  world.issuer.options.accessTokenFormat = 'jwt';
  const own = await task.getAccessToken(reading);
  expect(await task.complete()).toMatchObject({
    authorityEndsAt: own.expiresAt,
    delegations: [{ status: 'lapsing' }],
  });
  world.clock.skip(10_000);
  expect(await process.outlive.maintain()).toMatchObject({ delegationsEnded: 0 });
  expect(world.issuer.counters.revocations).toBe(1);
});

describe('a token that nobody has', () => {
  it('counts as live until it must have expired, when its response was lost', async () => {
    const { world, task } = await exchangingWorld({
      provider: { profile: { exchangedTokenGrant: 'own', longestAccessTokenMs: hourMs } },
    });
    await using _ = world;
    using _lost = world.issuer.fault(({ number }) =>
      number === 1 ? { fault: 'dropAfter' } : undefined,
    );
    await task.getAccessToken(reading);

    const end = await task.complete();

    expect(end.delegations).toMatchObject([{ status: 'lapsing' }]);
    expect(end.authorityEndsAt).toBeGreaterThan(world.clock.now() + hourMs - 60_000);
    expect(end.authorityEndsAt).toBeLessThan(world.clock.now() + hourMs + 60_000);
  });

  it('counts as live when the issuer gave more than it was asked for', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    using _wide = world.issuer.fault(() => ({
      fault: 'patch',
      patch: (response) => ({ ...response, scope: 'read admin' }),
    }));
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'issuer_refused' });
    expect((await task.cancel()).authorityEndsAt).toBeGreaterThan(world.clock.now());
  });

  it('is revoked by who gets it, when its task has ended meanwhile', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    using held = heldRequests(world);
    const token = task.getAccessToken(reading).catch((error: unknown) => error);
    await held.arrived;

    const end = await task.complete();
    expect(end.delegations).toMatchObject([{ status: 'lapsing' }]);
    expect(end.authorityEndsAt).toBeGreaterThan(world.clock.now() + lifetimeMs);
    held.release();
    expect(await token).toMatchObject({ code: 'task_ended' });

    expect(world.issuer.counters).toMatchObject({ exchanged: 1, revocations: 1 });
    expect(await delegationsOf(world)).toMatchObject([{ status: 'revoked' }]);
    const [minted] = world.issuer.issuedTokens().slice(-1);
    expect(await world.issuer.accessToken(minted?.value ?? '')).toBeUndefined();
  });

  it('stays on the books when its minter was killed: by whoever recovers the exchange', async () => {
    const { world, process, task } = await exchangingWorld({
      issuer: { accessTokenLifetimeMs: 24 * hourMs },
      provider: { profile: { exchangedTokenGrant: 'own', longestAccessTokenMs: 48 * hourMs } },
    });
    await using _ = world;
    using held = heldRequests(world, 'first');
    task.getAccessToken(reading).catch(() => undefined);
    await held.arrived;
    process.kill();
    const other = world.start({
      resources: { api: apiOf(world) },
      policy: { maxWaitMs: 24 * hourMs },
    });
    const same = await existing(other, task.id);

    const token = await recovered(world, same.getAccessToken(reading));

    expect(token).toMatchObject({ generation: 1 });
    expect(world.issuer.counters.exchanges).toBe(1);
    const end = await same.complete();
    expect(end).toMatchObject({ delegations: [{ status: 'lapsing' }] });
    expect(end.authorityEndsAt).toBeGreaterThan(token.expiresAt);
  });
});

describe('a principal who is revoked', () => {
  it('takes the tokens of their tasks along, whoever learns of it first', async () => {
    const { world, process, task, grantId } = await exchangingWorld();
    await using _ = world;
    const own = await task.getAccessToken(reading);

    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });

    await eventually(async () => expect(await factsOf(world, own)).toBeUndefined());
    expect(world.issuer.grant(grantId).alive).toBe(true);
    await eventually(async () =>
      expect((await process.outlive.explain(task.id)).entries.map(({ type }) => type)).toContain(
        'delegation-withdrawn',
      ),
    );
  });

  it.each(['at once', 'one after the other'])(
    'does so once, however many processes learn of it %s',
    async (when) => {
      const { world, process, task } = await exchangingWorld();
      await using _ = world;
      const own = await task.getAccessToken(reading);
      const others = [1, 2, 3].map(() => world.start({ resources: { api: apiOf(world) } }));
      for (const other of others) await (await existing(other, task.id)).getAccessToken(reading);
      const { revocations } = world.issuer.counters;

      world.turn('revoked');
      const withdrawals = () => world.events.filter(({ type }) => type === 'delegation-withdrawn');
      for (const one of [process, ...others]) {
        await expect(
          (await existing(one, task.id)).getAccessToken(reading, { rejectedGeneration: 1 }),
        ).rejects.toMatchObject({ code: 'user_state' });
        if (when === 'one after the other')
          await eventually(async () => expect(withdrawals()).not.toEqual([]));
      }
      await eventually(async () => expect(await factsOf(world, own)).toBeUndefined());
      // Each finishes what it has begun, and writes out its log.
      for (const one of [process, ...others]) await one.outlive.close();

      expect(world.issuer.counters.revocations).toBe(revocations + 1);
      expect(withdrawals()).toHaveLength(1);
    },
  );

  it('does so also when it is the gate that says so', async () => {
    const { world, process, task } = await exchangingWorld();
    await using _ = world;
    const own = await task.getAccessToken(reading);
    world.turn('revoked');
    await process.outlive.maintain();
    await eventually(async () => expect(await factsOf(world, own)).toBeUndefined());
  });

  it('is not forgotten when the process that was told has died', async () => {
    const { world, process, task } = await exchangingWorld();
    await using _ = world;
    const own = await task.getAccessToken(reading);
    process.store.intercept((call, proceed) =>
      call.index?.kind === 'delegation' ? never() : proceed(),
    );
    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    process.kill();
    expect(await factsOf(world, own)).toBeDefined();

    const other = world.start({ resources: { api: apiOf(world) } });
    await other.outlive.maintain();

    expect(await factsOf(world, own)).toBeUndefined();
    const revocations = world.issuer.counters.revocations;
    world.clock.skip(hourMs / 4);
    await other.outlive.maintain();
    expect(world.issuer.counters.revocations).toBe(revocations);
  });

  it('is tried again while the issuer is away', async () => {
    const issuer = revocationsFail();
    const { world, process, task } = await exchangingWorld({
      provider: { ...exchanging, fetch: issuer.fetch },
    });
    await using _ = world;
    const own = await task.getAccessToken(reading);
    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    await eventually(async () =>
      expect(await delegationsOf(world)).toMatchObject([{ status: 'live', withdrawing: true }]),
    );
    await process.outlive.maintain();
    expect(await factsOf(world, own)).toBeDefined();
    issuer.back();
    world.clock.skip(10_000);
    await process.outlive.maintain();
    expect(await factsOf(world, own)).toBeUndefined();
    expect((await delegationsOf(world))[0]).not.toHaveProperty('withdrawing');
  });

  it('is not taken anything from after they were reinstated', async () => {
    const issuer = revocationsFail();
    const { world, process, task } = await exchangingWorld({
      provider: { ...exchanging, fetch: issuer.fetch },
    });
    await using _ = world;
    const own = await task.getAccessToken(reading);
    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    await eventually(async () =>
      expect(await delegationsOf(world)).toMatchObject([{ status: 'live', withdrawing: true }]),
    );
    await process.outlive.reportUserState(alice, { state: 'active', source: 'directory' });
    issuer.back();
    world.clock.skip(10_000);
    await process.outlive.maintain();

    expect(await factsOf(world, own)).toBeDefined();
    expect((await delegationsOf(world))[0]).not.toHaveProperty('dueAt');
  });

  it('whose task goes on later gets new tokens', async () => {
    const { world, process, task } = await exchangingWorld();
    await using _ = world;
    const own = await task.getAccessToken(reading);
    await process.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    await eventually(async () => expect(await factsOf(world, own)).toBeUndefined());
    await process.outlive.reportUserState(alice, { state: 'active', source: 'directory' });

    const call = task
      .startRun()
      .call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });
    expect((await call.principal.fetch('items')).status).toBe(200);
    expect(world.issuer.counters.exchanged).toBe(2);
    expect(await task.complete()).toMatchObject({ delegations: [{ status: 'revoked' }] });
  });
});

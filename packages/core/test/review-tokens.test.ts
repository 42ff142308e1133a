import { describe, expect, it, vi } from 'vitest';
import { Secret } from '../src/index.ts';
import { ask, patienceMs, tinyJournal, tokenAfterPatience, vanish } from './vanished-owner.ts';
import {
  alice,
  createLatch,
  createWorld,
  lifetimeMs,
  never,
  reading,
  untilDueMs,
  untilUnusableMs,
  writing,
} from './world.ts';

describe('tokens', () => {
  it('B2 a journal that hangs does not keep the pair from the store', async () => {
    const { journal } = tinyJournal('h');
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ journal: { ...journal, write: never } });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    const token = task.getAccessToken(reading);
    await vi.waitFor(() => expect(world.issuer.counters.tokenRequests).toBe(1));
    await new Promise((r) => setTimeout(r, 100));
    world.clock.skip(31_000);
    expect((await token).generation).toBe(1);
  });

  it('B3 a journal that cannot erase does not fail a refresh that is stored', async () => {
    const { journal } = tinyJournal('h');
    const world = await createWorld();
    await using _ = world;
    const process = world.start({
      journal: { ...journal, erase: () => Promise.reject(new Error('EIO')) },
    });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    expect((await task.getAccessToken(reading)).generation).toBe(1);
  });

  it('B4 recovery presents nothing for a person who is stopped', async () => {
    const setting = await vanish({ at: 'before sending' });
    const { world, grantId } = setting;
    await using _ = world;
    const { token } = await ask(setting);
    world.state = 'revoked';
    world.clock.skip(patienceMs);
    await expect(token).rejects.toMatchObject({ code: 'user_state' });
    expect(world.presented(grantId)).toEqual([0]);
    world.state = 'active';
  });

  it('B4b what recovery adopts is not handed out for a person who was stopped meanwhile', async () => {
    const setting = await vanish({ at: 'before sending' });
    const { world } = setting;
    await using _ = world;
    using _turning = world.issuer.fault(() => {
      world.state = 'revoked';
      return undefined;
    });
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ code: 'user_state' });
  });

  it('B5 a waitUntil that throws takes no usable token away', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({
      waitUntil: () => {
        throw new Error('the request is over');
      },
    });
    await world.grant(process);
    const task = await world.task(process);
    await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    expect((await task.getAccessToken(reading)).generation).toBe(0);
  });

  it('B7 connecting: token type dpop', async () => {
    const world = await createWorld({
      process: { provider: { redirectUri: 'http://127.0.0.1:9999/callback' } },
    });
    await using _ = world;
    const { outlive } = world.start();
    const { url } = await outlive.connect.start({
      provider: 'p',
      principal: alice,
      scopes: ['openid', 'read'],
      session: 's',
    });
    const back = await world.issuer.authorize(url, { subject: 'alice' });
    using _dpop = world.issuer.fault(() => ({
      fault: 'patch',
      patch: (r) => ({ ...r, token_type: 'DPoP' }),
    }));
    const result = await outlive.connect
      .callback({ url: back, session: 's' })
      .catch((e: unknown) => e);
    expect(result).toMatchObject({ code: 'misconfigured' });
  });

  it('B7b connecting: expires_in 0', async () => {
    const world = await createWorld({
      process: { provider: { redirectUri: 'http://127.0.0.1:9999/callback' } },
    });
    await using _ = world;
    const { outlive } = world.start();
    const { url } = await outlive.connect.start({
      provider: 'p',
      principal: alice,
      scopes: ['openid', 'read'],
      session: 's',
    });
    const back = await world.issuer.authorize(url, { subject: 'alice' });
    using _zero = world.issuer.fault(() => ({
      fault: 'patch',
      patch: (r) => ({ ...r, expires_in: 0 }),
    }));
    const result = await outlive.connect
      .callback({ url: back, session: 's' })
      .catch((e: unknown) => e);
    expect(result).toMatchObject({ status: 'connected' });
  });

  it('B7c connecting: lifetime counts from before the request', async () => {
    const world = await createWorld({
      process: { provider: { redirectUri: 'http://127.0.0.1:9999/callback' } },
    });
    await using _ = world;
    const { outlive } = world.start();
    const { url } = await outlive.connect.start({
      provider: 'p',
      principal: alice,
      scopes: ['openid', 'read'],
      session: 's',
    });
    const back = await world.issuer.authorize(url, { subject: 'alice' });
    const before = world.clock.now();
    using _zero = world.issuer.fault(() => {
      world.clock.skip(20_000);
      return undefined;
    });
    await outlive.connect.callback({ url: back, session: 's' });
    const { slots } = await world.grantRecord();
    expect(Object.values(slots)[0]?.issuedAt).toBeLessThan(before + 15_000);
  });

  it('B9 a token that expired while its pair could not be stored is not handed out', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ policy: { maxWaitMs: 100 * lifetimeMs } });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    const reached = createLatch();
    const go = createLatch();
    let once = true;
    using _late = process.store.intercept(async (call, proceed) => {
      if (
        once &&
        call.operation === 'compareAndSwap' &&
        call.index?.kind === 'grant' &&
        call.index.status === 'idle'
      ) {
        once = false;
        reached.open();
        await go.opened;
      }
      return proceed();
    });
    const token = task.getAccessToken(reading);
    await reached.opened;
    world.clock.skip(lifetimeMs + 1000);
    go.open();
    const got = await token;
    expect(world.clock.now()).toBeLessThan(got.expiresAt);
  });

  it('B10 a caller who aborts stops waiting also for the store', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const task = await world.task(process);
    using _hung = process.store.intercept(never);
    world.clock.skip(untilUnusableMs);
    const caller = new AbortController();
    const token = task.getAccessToken(reading, { signal: caller.signal });
    caller.abort();
    const outcome = await Promise.race([
      token.catch((e: unknown) => e),
      new Promise((r) => setTimeout(() => r('still waiting'), 500)),
    ]);
    expect(outcome).toMatchObject({ code: 'cancelled' });
  });

  it('C9 a task that was given no scopes gets no token with all of them', async () => {
    const world = await createWorld({ process: { provider: { delegation: 'narrowedRefresh' } } });
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const requirement = { resource: 'api', scopes: [], effect: 'read' } as const;
    const started = await world
      .task(process, { requirements: [requirement] })
      .catch((e: unknown) => e);
    if (started instanceof Error) return;
    const token = await (started as Awaited<ReturnType<typeof world.task>>).getAccessToken(
      requirement,
    );
    expect(token.scopes).toEqual([]);
  });

  it('C5 a token that was being minted when its task ended is revoked when it is there', async () => {
    const world = await createWorld({
      issuer: { accessTokenRevocation: 'token' },
      process: {
        provider: { delegation: 'narrowedRefresh', profile: { accessTokenRevocation: 'token' } },
      },
    });
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const task = await world.task(process, { requirements: [reading] });
    const go = createLatch();
    using _held = world.issuer.fault(() => go.opened.then(() => undefined));
    const token = task.getAccessToken(reading).catch((e: unknown) => e);
    await vi.waitFor(() => expect(world.issuer.counters.tokenRequests).toBe(1));
    const end = await task.complete();
    expect(end.delegations[0]?.status).toBe('revoking');
    go.open();
    await token;
    const { slots } = await world.grantRecord();
    const minted = Object.entries(slots).find(([key]) => key.startsWith('delegation|'))?.[1];
    expect(await world.issuer.accessToken(minted?.accessToken.reveal() ?? '')).toBeDefined();
    world.clock.skip(3000);
    await process.outlive.maintain();
    expect(await world.issuer.accessToken(minted?.accessToken.reveal() ?? '')).toBeUndefined();
  });
});
void writing;
void Secret;

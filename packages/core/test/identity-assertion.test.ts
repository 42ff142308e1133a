import { createProtectedApi, createTestIssuer } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { createOutlive, memoryStore, type OutliveOptions, type UserState } from '../src/index.ts';
import { eventually } from './exchanging.ts';
import { createSkippingClock } from './skipping-clock.ts';
import { alice, reading, untilUnusableMs, writing } from './world.ts';

/** An employer that says who people are, and a ticket system whose issuer takes its word for it. */
async function twoIssuers(scopes = ['openid', 'offline_access', 'read', 'write', 'admin']) {
  const clock = createSkippingClock();
  const employer = await createTestIssuer({ accessTokenLifetimeMs: 600_000 });
  const tickets = await createTestIssuer({
    accessTokenLifetimeMs: 600_000,
    identityProviders: [employer.url],
  });
  const handle = () => Response.json({ ok: true });
  const api = await createProtectedApi({
    issuer: tickets,
    routes: { 'GET /items': { scopes: ['read'], handle } },
  });
  const state: { now: UserState } = { now: 'active' };
  const client = { clientId: 'agent', clientSecret: 'agent-secret' };
  const options: OutliveOptions = {
    store: memoryStore(),
    clock,
    gate: () => state.now,
    providers: {
      employer: { issuer: employer.url, ...client },
      tickets: {
        issuer: tickets.url,
        ...client,
        delegation: 'identityAssertion',
        assertedBy: 'employer',
        profile: { exchangedTokenGrant: 'own' },
      },
    },
    resources: {
      api: {
        provider: 'tickets',
        baseUrl: api.url,
        indicator: `${tickets.url}/api`,
        scopes: ['read', 'write'],
      },
    },
    policy: { maintainMs: 0, gateCacheMs: 0 },
  };
  const outlive = createOutlive(options);
  const { grantId, tokenResponse } = await employer.seedGrant({ subject: 'alice', scopes });
  await outlive.grants.import({ provider: 'employer', principal: alice, tokens: tokenResponse });
  return {
    clock,
    employer,
    tickets,
    api,
    state,
    outlive,
    options,
    grantId,
    start: (requirements = [reading]) =>
      outlive.startTask({
        principal: alice,
        agent: 'agent',
        requirements,
        expectedDurationMs: 3_600_000,
      }),
    async [Symbol.asyncDispose]() {
      await outlive.close();
      await api.close();
      await tickets.close();
      await employer.close();
    },
  };
}

describe('a task whose issuer takes the word of an identity provider', () => {
  it('works there in the name of the user, who has no grant there at all', async () => {
    await using world = await twoIssuers();
    const task = await world.start();
    const call = task
      .startRun()
      .call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });
    expect((await call.principal.fetch('items')).status).toBe(200);
    expect(world.api.accepted).toMatchObject([{ subject: 'alice', actor: { sub: 'agent' } }]);
    expect(world.employer.counters).toMatchObject({ exchanged: 1, refreshes: 1 });
    expect(world.tickets.counters).toMatchObject({ assertions: 1, refreshRequests: 0 });
  });

  it('is asserted anew when its token is over: that is what a refresh is there', async () => {
    await using world = await twoIssuers();
    const task = await world.start();
    await task.getAccessToken(reading);
    world.clock.skip(untilUnusableMs);
    expect(await task.getAccessToken(reading)).toMatchObject({ generation: 2 });
    expect(world.tickets.counters.assertions).toBe(2);
  });

  it('ends with its token, and the grant at the employer lives on', async () => {
    await using world = await twoIssuers();
    const task = await world.start();
    const token = (await task.getAccessToken(reading)).accessToken.reveal();
    expect(await task.complete()).toMatchObject({ delegations: [{ status: 'revoked' }] });
    expect(await world.tickets.accessToken(token)).toBeUndefined();
    expect(world.tickets.counters.revocations).toBe(1);
    expect(world.employer.counters.revocations).toBe(0);
    expect(world.employer.grant(world.grantId).alive).toBe(true);
  });

  it('ends for a person who was offboarded at the employer', async () => {
    await using world = await twoIssuers();
    const task = await world.start();
    const token = (await task.getAccessToken(reading)).accessToken.reveal();
    await world.outlive.reportUserState(alice, { state: 'revoked', source: 'employer' });
    await eventually(async () => expect(await world.tickets.accessToken(token)).toBeUndefined());
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'user_state' });
  });

  it('may resume where only the employer has a grant', async () => {
    await using world = await twoIssuers();
    const task = await world.start();
    const pause = await task.pause('a look at it');
    const { options } = world;
    await using deciding = createOutlive({
      ...options,
      policy: { ...options.policy, authorize: ({ by }) => ({ id: by, roles: ['user', 'admin'] }) },
    });
    await deciding.decide(pause?.id ?? '', { decision: 'resume', by: 'alice' });
    expect(await deciding.resume(pause?.id ?? '')).toMatchObject({ status: 'resumed' });
  });

  it('may bind its tokens to a key where the employer does not', async () => {
    await using world = await twoIssuers();
    const { options } = world;
    const { tickets } = options.providers;
    if (tickets === undefined) throw new Error('no provider');
    await using bound = createOutlive({
      ...options,
      providers: { ...options.providers, tickets: { ...tickets, dpop: true } },
    });
    const { id } = await world.start();
    const task = await bound.task(id);
    const token = await task?.getAccessToken(reading);
    expect(token?.tokenType).toBe('dpop');
    const call = task
      ?.startRun()
      .call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });
    expect((await call?.principal.fetch('items'))?.status).toBe(200);
  });
});

describe('what goes wrong with an assertion', () => {
  it('without an ID token is told to the operator', async () => {
    await using world = await twoIssuers(['read']);
    world.employer.fault(() => ({
      fault: 'patch',
      patch: ({ id_token: _gone, ...response }) => response,
    }));
    const task = await world.start();
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'misconfigured',
      reason: 'no_id_token',
    });
    expect(world.employer.counters.exchanges).toBe(0);
  });

  it('at an issuer that does not trust the employer is told, and nothing is renewed for it', async () => {
    await using world = await twoIssuers();
    world.tickets.options.identityProviders = [];
    const task = await world.start([reading, writing]);
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'issuer_refused',
      reason: 'invalid_grant',
    });
    expect(world.employer.counters).toMatchObject({ exchanged: 1, refreshes: 1 });
  });

  it('is found at construction: an identity provider that is none', async () => {
    await using world = await twoIssuers();
    const { options } = world;
    const { employer, tickets } = options.providers;
    if (employer === undefined || tickets === undefined) throw new Error('no provider');
    const make = (own: object) => () =>
      createOutlive({ ...options, providers: { employer, tickets: { ...tickets, ...own } } });
    const at = (path: string) => expect.objectContaining({ paths: [path] });
    expect(make({ assertedBy: 'nobody' })).toThrow(at('providers.tickets.assertedBy'));
    expect(make({ assertedBy: 'tickets' })).toThrow(at('providers.tickets.assertedBy'));
    expect(make({ delegation: 'shared' })).toThrow(at('providers.tickets.assertedBy'));
  });
});

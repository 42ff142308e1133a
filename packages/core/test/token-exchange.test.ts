import { describe, expect, it } from 'vitest';
import { type Gate, Secret } from '../src/index.ts';
import { apiOf, eventually, exchangingWorld, factsOf, heldRequests } from './exchanging.ts';
import { alice, lifetimeMs, reading, untilDueMs, untilUnusableMs, writing } from './world.ts';

const isExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';

describe('a task whose tokens are exchanged', () => {
  it('works with a token that speaks for the user, names the agent, and has the scopes of its tools', async () => {
    const { world, process } = await exchangingWorld();
    await using _ = world;
    const both = await world.task(process, { requirements: [writing, reading] });
    const call = both
      .startRun()
      .call({ requirement: writing, toolName: 't', toolCallId: 'c', input: {} });

    const response = await call.principal.fetch('items', { method: 'POST' });

    expect(response.status).toBe(200);
    expect(world.api.accepted).toMatchObject([
      { subject: 'alice', actor: { sub: 'agent' }, scopes: ['read', 'write'] },
    ]);
    expect(world.issuer.counters).toMatchObject({ exchanges: 1, exchanged: 1, refreshRequests: 0 });
  });

  it('gets one token for all of its callers, and another one than other tasks', async () => {
    const { world, process, task } = await exchangingWorld();
    await using _ = world;
    const other = await world.task(process, { requirements: [reading] });
    const tokens = await Promise.all(
      Array.from({ length: 50 }, () => task.getAccessToken(reading)),
    );
    expect(new Set(tokens).size).toBe(1);
    const others = await other.getAccessToken(reading);
    expect(others.accessToken.reveal()).not.toBe(tokens[0]?.accessToken.reveal());
    expect(world.issuer.counters.exchanges).toBe(2);
  });

  it('pauses when a tool wants more, before anything is asked for', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    const run = task.startRun();
    const call = run.call({ requirement: writing, toolName: 't', toolCallId: 'c', input: {} });
    await expect(call.principal.fetch('items', { method: 'POST' })).rejects.toMatchObject({
      code: 'insufficient_scope',
    });
    expect(await run.finish()).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'insufficient_scope' }, call: { scopes: ['write'] } },
    });
    expect(world.issuer.counters.exchanges).toBe(0);
    expect(world.api.tokensSeen.size).toBe(0);
  });

  it('is told of in the log: who acted, by what, and that it ended', async () => {
    const { world, process, task } = await exchangingWorld();
    await using _ = world;
    await task.getAccessToken(reading);
    await task.complete();
    const { entries, verified } = await process.outlive.explain(task.id);
    expect(entries.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        'delegation-minted',
        'exchange-claimed',
        'token-exchanged',
        'delegation-revoked',
      ]),
    );
    expect(verified.every(({ ok }) => ok)).toBe(true);
  });
});

describe('what is asked for', () => {
  it('is the time that the task has left, where the issuer has a parameter for it', async () => {
    const { world, task } = await exchangingWorld({
      provider: { exchange: { lifetimeParameter: 'requested_expires_in' } },
    });
    await using _ = world;
    const short = await world.task(world.start({ resources: { api: apiOf(world) } }), {
      requirements: [reading],
      expectedDurationMs: 50_000,
    });
    const token = await short.getAccessToken(reading);
    expect(token.expiresAt - token.issuedAt).toBe(60_000);
    const long = await task.getAccessToken(reading);
    expect(long.expiresAt - long.issuedAt).toBe(lifetimeMs);
  });

  it('ends with the task on this side whatever the issuer gave', async () => {
    const { world, process } = await exchangingWorld();
    await using _ = world;
    const short = await world.task(process, {
      requirements: [reading],
      expectedDurationMs: 50_000,
    });
    const token = await short.getAccessToken(reading);
    expect(token.expiresAt).toBeGreaterThan(short.deadlineAt);
    world.clock.skip(60_001);
    await expect(short.getAccessToken(reading)).rejects.toMatchObject({ code: 'task_ended' });
    expect(await factsOf(world, token)).toBeUndefined();
  });

  it('is named by its audience where the issuer has a name for it', async () => {
    const { world } = await exchangingWorld();
    await using _ = world;
    const { indicator, ...api } = apiOf(world);
    const process = world.start({ resources: { api: { ...api, audience: indicator } } });
    const task = await world.task(process, { requirements: [reading] });
    const token = await task.getAccessToken(reading);
    expect((await factsOf(world, token))?.audience).toEqual([indicator]);
  });

  it.each([
    ['by a token of the client', 'clientCredentials' as const, 1],
    ['by a token of the app', undefined, 0],
  ])('names the actor %s', async (_title, own, fetched) => {
    const asked: unknown[] = [];
    const { world, task, process } = await exchangingWorld({
      provider: {
        exchange: {
          actor:
            own ??
            (async (request) => {
              asked.push(request);
              return { token: new Secret(await clientToken(world.issuer.url)), type: accessToken };
            }),
        },
      },
    });
    await using _ = world;
    const token = await task.getAccessToken(reading);
    expect((await factsOf(world, token))?.actor).toEqual({ sub: 'agent' });
    const more = await world.task(process, { requirements: [reading] });
    await more.getAccessToken(reading);
    // The client's own token is kept for the next task.
    const { tokenRequests, exchanges } = world.issuer.counters;
    expect(tokenRequests - exchanges).toBe(own === undefined ? 2 : fetched);
    if (own === undefined) expect(asked[0]).toEqual({ agent: 'agent', taskId: task.id });
  });
});

it('the gate is asked before and after each exchange', async () => {
  const moments: string[] = [];
  const gate: Gate = (_principal, { moment }) => {
    moments.push(moment);
    return 'active';
  };
  const { world, task } = await exchangingWorld({ process: { gate } });
  await using _ = world;
  const asked = () => moments.splice(0).filter((one) => one === 'claim' || one === 'response');
  await task.getAccessToken(reading);
  expect(asked()).toEqual(['claim', 'response']);
  await task.getAccessToken(reading, { rejectedGeneration: 1 });
  expect(asked()).toEqual(['claim', 'response']);
  expect(world.issuer.counters).toMatchObject({ exchanges: 2, refreshRequests: 0 });
});

describe('a token that becomes due', () => {
  it('is exchanged again in the background, and its callers wait for nothing', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    const first = await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    expect(await task.getAccessToken(reading)).toBe(first);
    await eventually(async () =>
      expect((await task.getAccessToken(reading)).generation).toBe(first.generation + 1),
    );
    expect(world.issuer.counters.exchanges).toBe(2);
  });

  it('is exchanged again for a subject token that is good, after a refresh of the grant', async () => {
    const { world, task, grantId } = await exchangingWorld();
    await using _ = world;
    await task.getAccessToken(reading);
    world.clock.skip(untilUnusableMs);
    expect(await task.getAccessToken(reading)).toMatchObject({ generation: 2 });
    expect(world.issuer.counters).toMatchObject({ exchanges: 2, exchanged: 2, refreshRequests: 1 });
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('is not exchanged again for a person who was stopped', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    await task.getAccessToken(reading);
    world.clock.skip(untilUnusableMs);
    world.turn('paused');
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'user_state' });
    expect(world.issuer.counters.exchanges).toBe(1);
  });

  it('is kept back when the person is stopped while it is asked for', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    using held = heldRequests(world);
    const token = task.getAccessToken(reading).catch((error: unknown) => error);
    await held.arrived;
    world.turn('paused');
    held.release();
    expect(await token).toMatchObject({ code: 'user_state' });
    expect(world.issuer.counters.exchanged).toBe(1);
  });
});

describe('a subject token that the issuer refuses', () => {
  it('is renewed once, and the exchange made again', async () => {
    const { world, task, grantId } = await exchangingWorld();
    await using _ = world;
    // At the issuer the token is gone, and nobody here knows: of the whole grant only the refresh token is left.
    const { slots } = await world.grantRecord();
    world.issuer.options.accessTokenRevocation = 'token';
    for (const { accessToken } of Object.values(slots))
      await revokeAtIssuer(world.issuer.url, accessToken.reveal());

    expect(await task.getAccessToken(reading)).toMatchObject({ generation: 1 });

    expect(world.issuer.counters).toMatchObject({ exchanges: 2, exchanged: 1, refreshRequests: 1 });
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });

  it('is not renewed for ever: what is refused again is told', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    using _no = world.issuer.fault(({ grantType }) =>
      grantType === isExchange
        ? { fault: 'status', status: 400, body: { error: 'invalid_request' } }
        : undefined,
    );
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'issuer_refused',
      reason: 'invalid_request',
    });
    expect(world.issuer.counters).toMatchObject({ tokenRequests: 3, refreshRequests: 1 });
  });
});

describe('an exchange that the issuer refuses', () => {
  it('because the user never granted the scopes is not asked for', async () => {
    const { world, process } = await exchangingWorld();
    await using _ = world;
    const { tokenResponse } = await world.issuer.seedGrant({ subject: 'bob', scopes: ['read'] });
    const principal = { subject: 'bob' };
    await process.outlive.grants.import({ provider: 'p', principal, tokens: tokenResponse });
    const start = world.task(process, { principal, requirements: [writing] });
    await expect(start).rejects.toMatchObject({ code: 'insufficient_scope' });
    expect(world.issuer.counters.exchanges).toBe(0);
  });

  it('after the grant was authorized anew with less is not asked for either', async () => {
    const { world, process } = await exchangingWorld();
    await using _ = world;
    const task = await world.task(process, { requirements: [writing] });
    const { tokenResponse } = await world.issuer.seedGrant({ subject: 'alice', scopes: ['read'] });
    const less = { provider: 'p', principal: alice, tokens: tokenResponse, replace: true };
    await process.outlive.grants.import(less);
    await expect(task.getAccessToken(writing)).rejects.toMatchObject({
      code: 'insufficient_scope',
      reason: 'write',
    });
    expect(world.issuer.counters.exchanges).toBe(0);
  });

  it.each([
    ['invalid_target', 'issuer_refused'],
    ['invalid_scope', 'issuer_refused'],
    ['interaction_required', 'step_up_required'],
    ['unauthorized_client', 'misconfigured'],
  ])('with %s is told as %s, and leaves the grant alone', async (error, code) => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    using _no = world.issuer.fault(() => ({ fault: 'status', status: 400, body: { error } }));
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code, reason: error });
    expect((await world.grantRecord()).state.status).toBe('idle');
  });

  it('with wider scopes than were asked for is no token to hand out', async () => {
    const { world, task } = await exchangingWorld();
    await using _ = world;
    using _wide = world.issuer.fault(() => ({
      fault: 'patch',
      patch: (response) => ({ ...response, scope: 'read admin' }),
    }));
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'issuer_refused',
      reason: 'scopes_widened',
    });
  });
});

describe('an exchange whose outcome is unknown', () => {
  it('is made again: nothing was used up', async () => {
    const { world, task, grantId } = await exchangingWorld();
    await using _ = world;
    using _lost = world.issuer.fault(({ number }) =>
      number === 1 ? { fault: 'dropAfter' } : undefined,
    );
    expect(await task.getAccessToken(reading)).toMatchObject({ generation: 1 });
    expect(world.issuer.counters).toMatchObject({ exchanges: 2, exchanged: 2 });
    expect(world.issuer.grant(grantId).alive).toBe(true);
  });
});

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

async function clientToken(issuer: string): Promise<string> {
  const response = await post(`${issuer}/token`, { grant_type: 'client_credentials' });
  return ((await response.json()) as { access_token: string }).access_token;
}

async function revokeAtIssuer(issuer: string, token: string): Promise<void> {
  await post(`${issuer}/token/revocation`, { token });
}

function post(url: string, parameters: Record<string, string>): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
    body: new URLSearchParams(parameters),
  });
}

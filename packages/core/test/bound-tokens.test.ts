import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import {
  alwaysActive,
  createOutlive,
  memoryStore,
  type ProviderConfiguration,
} from '../src/index.ts';
import { openProofKey } from '../src/proof-key.ts';
import { apiOf, eventually, exchanging, factsOf } from './exchanging.ts';
import {
  alice,
  createWorld,
  type ProcessOptions,
  reading,
  untilDueMs,
  untilUnusableMs,
  type World,
  writing,
} from './world.ts';

/** A world whose provider binds tokens, and a process with a grant that has no token yet. */
async function boundWorld(
  provider: Partial<ProviderConfiguration> = {},
  more: ProcessOptions = {},
) {
  const world = await createWorld({ process: { provider: { dpop: true, ...provider } } });
  const process = world.start({ resources: { api: apiOf(world) }, ...more });
  const grantId = await world.grant(process, { issuedAt: world.clock.now() - 3_600_000 });
  const task = await world.task(process, { requirements: [reading, writing] });
  return { world, process, grantId, task };
}

function callOf(task: Awaited<ReturnType<World['task']>>, requirement = reading) {
  return task.startRun().call({ requirement, toolName: 't', toolCallId: 'c', input: {} });
}

describe('tokens that are bound to a key', () => {
  it('are of no use without a proof, which the principal’s fetch sends with each request', async () => {
    const { world, task } = await boundWorld();
    await using _ = world;
    const call = callOf(task, writing);
    const post = () => call.principal.fetch('items?page=2', { method: 'POST', body: '{}' });
    expect((await post()).status).toBe(200);
    expect((await post()).status).toBe(200);

    const token = await task.getAccessToken(reading);
    expect(token.tokenType).toBe('dpop');
    const stolen = { headers: { authorization: `Bearer ${token.accessToken.reveal()}` } };
    expect((await fetch(`${world.api.url}/items`, stolen)).status).toBe(401);
  });

  it('are bound to one key for each grant, which is kept with the grant and survives its process', async () => {
    const { world, process, task } = await boundWorld();
    await using _ = world;
    const first = await task.getAccessToken(reading);
    const { proofKey } = await world.grantRecord();
    if (proofKey === undefined) throw new Error('the grant has no key');
    const { thumbprint } = await openProofKey(proofKey);
    expect((await factsOf(world, first))?.keyThumbprint).toBe(thumbprint);
    process.kill();

    const other = world.start({ resources: { api: apiOf(world) } });
    world.clock.skip(untilUnusableMs);
    const same = await other.outlive.task(task.id);
    const second = await same?.getAccessToken(reading);
    if (second === undefined) throw new Error('the task is gone');
    expect(second.generation).toBe(first.generation + 1);
    expect((await factsOf(world, second))?.keyThumbprint).toBe(thumbprint);
  });

  it('are not handed out when the issuer does not bind them', async () => {
    const { world, task } = await boundWorld();
    await using _ = world;
    using _unbound = world.issuer.fault(() => ({
      fault: 'patch',
      patch: (response) => ({ ...response, token_type: 'Bearer' }),
    }));
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'misconfigured',
      reason: 'token_type',
      detail: 'expected "dpop"; the issuer sent "bearer"',
    });
    expect((await world.grantRecord()).generation).toBe(1);
  });

  it('do not appear, and neither does their key, in what is shown of them', async () => {
    const { world, process, task } = await boundWorld();
    await using _ = world;
    const token = await task.getAccessToken(reading);
    const { proofKey } = await world.grantRecord();
    const { d } = JSON.parse(proofKey?.reveal() ?? '{}') as { d: string };
    expect(d).toMatch(/^[\w-]{43}$/);
    const shown = [
      JSON.stringify(token),
      JSON.stringify(await process.outlive.grants.find({ provider: 'p', principal: alice })),
      JSON.stringify(world.events),
      JSON.stringify(callOf(task).principal),
    ].join();
    expect(shown).not.toContain(d);
  });
});

it('a store gets neither tokens nor keys in the clear', async () => {
  const world = await createWorld({ process: { provider: { dpop: true, ...exchanging } } });
  await using _ = world;
  const keys = {
    current: 'k',
    ring: { k: crypto.getRandomValues(new Uint8Array(32)) },
    hash: crypto.getRandomValues(new Uint8Array(32)),
  };
  const process = world.start({ resources: { api: apiOf(world) }, keys });
  await world.grant(process, { issuedAt: world.clock.now() - 3_600_000 });
  const task = await world.task(process, { requirements: [reading] });
  expect((await callOf(task).principal.fetch('items')).status).toBe(200);
  const { proofKey } = await task.getAccessToken(reading);
  const { d } = JSON.parse(proofKey?.reveal() ?? '{}') as { d: string };

  const stored: string[] = [];
  for (const kind of ['grant', 'delegation'] as const)
    for await (const { key } of world.store.list({ kind }))
      stored.push((await world.store.get(key))?.value ?? '');
  expect(stored).toHaveLength(2);
  for (const secret of [d, ...world.issuer.issuedTokens().map(({ value }) => value)])
    expect(stored.join()).not.toContain(secret);
});

describe('a nonce', () => {
  it('that the issuer wants costs one more request, once, and the refresh token is presented once', async () => {
    const { world, task, grantId } = await boundWorld();
    await using _ = world;
    world.issuer.options.proofNonces = true;
    await task.getAccessToken(reading);
    expect(world.issuer.counters).toMatchObject({ refreshRequests: 2, refreshes: 1 });
    expect(world.issuer.grant(grantId).alive).toBe(true);
    world.clock.skip(untilUnusableMs);
    await task.getAccessToken(reading);
    expect(world.issuer.counters).toMatchObject({ refreshRequests: 3, refreshes: 2 });
  });

  it('that the resource wants costs one more request, and is remembered for the next call', async () => {
    const { world, task } = await boundWorld();
    await using _ = world;
    world.api.proofNonces = true;
    const sent = vi.fn<typeof fetch>((input, init) => fetch(input, init));
    const other = world.start({ resources: { api: apiOf(world) }, fetch: sent });
    const same = await other.outlive.task(task.id);
    if (same === undefined) throw new Error('the task is gone');
    expect((await callOf(same).principal.fetch('items')).status).toBe(200);
    expect(sent).toHaveBeenCalledTimes(2);
    expect((await callOf(same).principal.fetch('items')).status).toBe(200);
    expect(sent).toHaveBeenCalledTimes(3);
    expect(world.issuer.counters.refreshes).toBe(1);
  });

  it('does not make a lost response look like one that was certainly not processed', async () => {
    const { world, task } = await boundWorld({ profile: { probe: true } });
    await using _ = world;
    world.issuer.options.proofNonces = true;
    using _lost = world.issuer.fault(({ number }) =>
      number === 2 ? { fault: 'dropAfter' } : undefined,
    );
    const token = task.getAccessToken(reading).catch((error: unknown) => error);
    await eventually(() =>
      expect(world.events.map(({ type }) => type)).toContain('refresh-in-doubt'),
    );
    expect((await world.grantRecord()).state.status).toBe('refreshing');
    expect(world.issuer.counters.refreshRequests).toBe(2);
    await eventually(async () => {
      world.clock.skip(60_001);
      expect(await Promise.race([token, undefined])).toBeDefined();
    });
    expect(world.issuer.counters.reuseDetected).toBe(0);
  });

  it('cannot be put into a request whose body is gone', async () => {
    const { world, task } = await boundWorld();
    await using _ = world;
    world.api.proofNonces = true;
    const body = new Blob(['{}']).stream();
    const request = { method: 'POST', body, duplex: 'half' } as RequestInit;
    const call = callOf(task, writing);
    await expect(call.principal.fetch('items', request)).rejects.toMatchObject({
      code: 'rejected_after_refresh',
      reason: 'body_not_replayable',
    });
  });
});

describe('exchanged tokens', () => {
  it('are bound to the key of the grant', async () => {
    const { world, task } = await boundWorld(exchanging);
    await using _ = world;
    expect((await callOf(task).principal.fetch('items')).status).toBe(200);
    const token = await task.getAccessToken(reading);
    const { proofKey } = await world.grantRecord();
    const key = proofKey && (await openProofKey(proofKey));
    expect(await factsOf(world, token)).toMatchObject({
      actor: { sub: 'agent' },
      keyThumbprint: key?.thumbprint,
    });
    await task.complete();
    expect(await factsOf(world, token)).toBeUndefined();
  });

  it('are exchanged again with a proof when they are due', async () => {
    const { world, task } = await boundWorld(exchanging);
    await using _ = world;
    world.issuer.options.proofNonces = true;
    const first = await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    await eventually(async () =>
      expect((await task.getAccessToken(reading)).generation).toBeGreaterThan(first.generation),
    );
  });
});

it('a person’s sign-in binds the code and the tokens to the key of the grant', async () => {
  const world = await createWorld({
    process: { provider: { dpop: true, redirectUri: 'http://127.0.0.1:9999/callback' } },
  });
  await using _ = world;
  const process = world.start({ resources: { api: apiOf(world) } });
  const { connect } = process.outlive;
  const session = 'browser';
  const scopes = ['openid', 'offline_access', 'read', 'write'];
  const { url } = await connect.start({ provider: 'p', principal: alice, scopes, session });
  const callback = await world.issuer.authorize(url, { subject: 'alice' });
  expect(await connect.callback({ url: callback, session })).toMatchObject({ status: 'connected' });

  const { proofKey } = await world.grantRecord();
  const key = proofKey && (await openProofKey(proofKey));
  expect(url.searchParams.get('dpop_jkt')).toBe(key?.thumbprint);
  const task = await world.task(process, { requirements: [reading] });
  const token = await task.getAccessToken(reading);
  expect((await factsOf(world, token))?.keyThumbprint).toBe(key?.thumbprint);
  expect((await callOf(task).principal.fetch('items')).status).toBe(200);
  expect(world.issuer.counters.refreshes).toBe(0);
});

describe('a grant that comes with its key', () => {
  it('is rotated with that key: at a public client’s issuer with no other', async () => {
    const world = await createWorld();
    await using _ = world;
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const proofKey = await exportJWK(privateKey);
    const { kty = '', crv = '', x = '', y = '' } = proofKey;
    const keyThumbprint = await calculateJwkThumbprint({ kty, crv, x, y });
    const { tokenResponse } = await world.issuer.seedGrant({
      subject: 'alice',
      clientId: 'cli',
      keyThumbprint,
    });
    expect(tokenResponse.token_type).toBe('DPoP');
    await using outlive = createOutlive({
      store: memoryStore(),
      clock: world.clock,
      gate: alwaysActive,
      providers: { p: { issuer: world.issuer.url, clientId: 'cli', dpop: true } },
      resources: { api: apiOf(world) },
    });
    await outlive.grants.import({
      provider: 'p',
      principal: alice,
      tokens: tokenResponse,
      proofKey: { ...proofKey },
      issuedAt: Math.ceil(world.clock.now()),
    });
    const task = await outlive.startTask({
      principal: alice,
      agent: 'agent',
      requirements: [reading],
      expectedDurationMs: 3_600_000,
    });
    expect((await callOf(task).principal.fetch('items')).status).toBe(200);
    world.clock.skip(untilUnusableMs);
    expect((await factsOf(world, await task.getAccessToken(reading)))?.keyThumbprint).toBe(
      keyThumbprint,
    );
    expect(world.issuer.counters.refreshes).toBe(1);
  });

  it.each([
    ['proofKey', { token_type: 'DPoP' }, undefined],
    ['tokens.token_type', { token_type: 'Bearer' }, 'key'],
    ['proofKey.d', { token_type: 'DPoP' }, 'public'],
    ['tokens.token_type', { token_type: 'mac' }, undefined],
  ])('is refused for its %s otherwise', async (path, tokens, what) => {
    const world = await createWorld();
    await using _ = world;
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const { d, ...shown } = await exportJWK(privateKey);
    const key = what === 'public' ? { ...shown } : { ...shown, d };
    const importing = world.start().outlive.grants.import({
      provider: 'p',
      principal: alice,
      tokens: { access_token: 'a', ...tokens },
      ...(what === undefined ? {} : { proofKey: key }),
    });
    await expect(importing).rejects.toMatchObject({ paths: [path] });
    await expect(importing).rejects.not.toThrow(String(d));
  });
});

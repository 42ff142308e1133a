import { describe, expect, it } from 'vitest';
import type { FinishConnection, StartConnection } from '../src/index.ts';
import { alice, createWorld, reading, type World } from './world.ts';

const redirectUri = 'http://127.0.0.1:9999/callback';
const scopes = ['openid', 'offline_access', 'read', 'write'];
const session = 'browser session 1';

async function setUp() {
  const world = await createWorld({ process: { provider: { redirectUri } } });
  const process = world.start();
  return { world, process, connect: process.outlive.connect };
}

type Connect = Awaited<ReturnType<typeof setUp>>['connect'];

/** Sends `subject` through the issuer's pages. Answers the URL the browser comes back to. */
async function walk(
  world: World,
  connect: Connect,
  more: Partial<StartConnection> & { readonly as?: string; readonly denies?: boolean } = {},
): Promise<URL> {
  const { as = 'alice', denies = false, ...start } = more;
  const { url } = await connect.start({
    provider: 'p',
    principal: alice,
    scopes,
    session,
    parameters: { prompt: 'consent' },
    ...start,
  });
  return world.issuer.authorize(url, { subject: as, decision: denies ? 'deny' : 'allow' });
}

describe('connecting an account', () => {
  it('gets a grant from a person, which tasks then use and the runtime rotates', async () => {
    const { world, process, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);

    const result = await connect.callback({ url, session });

    expect(result).toMatchObject({
      status: 'connected',
      grant: { provider: 'p', principal: alice, status: 'idle', generation: 0 },
    });
    const task = await process.outlive.startTask({
      principal: alice,
      agent: 'agent',
      requirements: [reading],
      expectedDurationMs: 60_000,
    });
    const call = task
      .startRun()
      .call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });
    expect((await call.principal.fetch('items')).status).toBe(200);
    const again = await task.getAccessToken(reading, { rejectedGeneration: 0 });
    expect(again.generation).toBe(1);
    await process.outlive.explain(task.id);
    expect(world.events.map(({ type }) => type)).toContain('grant-connected');
  });

  it('asks with PKCE, a state and a nonce of its own each time, and no secret', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const urls = [];
    for (const loginHint of ['alice@example.com', 'alice@example.com'])
      urls.push(
        (await connect.start({ provider: 'p', principal: alice, scopes, session, loginHint })).url,
      );
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(new Set(urls.map((url) => url.searchParams.get(name))).size).toBe(2);
    expect(urls[0]?.searchParams.get('code_challenge_method')).toBe('S256');
    expect(urls[0]?.searchParams.get('login_hint')).toBe('alice@example.com');
    expect(urls[0]?.href).not.toMatch(/secret|session/);
  });

  it('can be finished by another process than the one that started it', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    expect(await world.start().outlive.connect.callback({ url: url.href, session })).toMatchObject({
      status: 'connected',
    });
  });

  it('of the same account again renews the grant: the generation goes on', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    await connect.callback({ url: await walk(world, connect), session });
    expect(await connect.callback({ url: await walk(world, connect), session })).toMatchObject({
      status: 'connected',
      grant: { generation: 1 },
    });
  });
});

describe('a callback that does not belong here', () => {
  async function stored(world: World): Promise<number> {
    let count = 0;
    for await (const _grant of world.store.list({ kind: 'grant' })) count += 1;
    return count;
  }

  it('stores nothing in another session than it was started in, nor in the right one after that', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    expect(await connect.callback({ url, session: 'browser session 2' })).toMatchObject({
      status: 'refused',
      because: expect.stringMatching(/another session/),
    });
    expect((await connect.callback({ url, session })).status).toBe('refused');
    expect(world.issuer.counters.tokenRequests).toBe(0);
    expect(await stored(world)).toBe(0);
  });

  it('is used once, also by two processes at the same time', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    const processes = [connect, world.start().outlive.connect, world.start().outlive.connect];
    const results = await Promise.all(processes.map((one) => one.callback({ url, session })));
    expect(results.map(({ status }) => status).toSorted()).toEqual([
      'connected',
      'refused',
      'refused',
    ]);
    expect(world.issuer.counters.tokenRequests).toBe(1);
  });

  it('is refused with a state that nobody started, or none', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    for (const change of [
      (target: URL) => target.searchParams.set('state', 'made-up'),
      (target: URL) => target.searchParams.delete('state'),
    ]) {
      const forged = new URL(url);
      change(forged);
      expect(await connect.callback({ url: forged, session })).toMatchObject({
        status: 'refused',
        because: expect.stringMatching(/unknown/),
      });
    }
    expect((await connect.callback({ url, session })).status).toBe('connected');
  });

  it('is refused after ten minutes', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    world.clock.skip(600_000);
    expect(await connect.callback({ url, session })).toMatchObject({
      status: 'refused',
      because: expect.stringMatching(/too late/),
    });
    expect(world.issuer.counters.tokenRequests).toBe(0);
  });

  it('is refused where a renewal comes back with another account', async () => {
    const { world, process, connect } = await setUp();
    await using _ = world;
    await connect.callback({ url: await walk(world, connect), session });
    const before = await world.grantRecord();
    const url = await walk(world, connect, { as: 'mallory' });
    expect(await connect.callback({ url, session })).toMatchObject({
      status: 'refused',
      because: expect.stringMatching(/another account/),
    });
    expect(await world.grantRecord()).toEqual(before);
    await process.outlive.close();
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: 'decision-refused', provider: 'p' }),
    );
  });

  it('sends its code nowhere when it comes from another issuer', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    url.searchParams.set('iss', 'https://evil.example');
    expect((await connect.callback({ url, session })).status).not.toBe('connected');
    expect(world.issuer.counters.tokenRequests).toBe(0);
    expect(await stored(world)).toBe(0);
  });

  it('tells that the person said no', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect, { denies: true });
    expect(await connect.callback({ url, session })).toEqual({
      status: 'denied',
      error: 'access_denied',
    });
    expect(await stored(world)).toBe(0);
  });

  it('fails where the issuer cannot be asked, and is to be started again', async () => {
    const { world, connect } = await setUp();
    await using _ = world;
    const url = await walk(world, connect);
    using _away = world.issuer.fault(() => ({ fault: 'dropBefore' }));
    await expect(connect.callback({ url, session })).rejects.toMatchObject({
      code: 'issuer_unavailable',
    });
    expect((await connect.callback({ url, session })).status).toBe('refused');
  });
});

describe('bad input to connect', () => {
  const good: StartConnection = { provider: 'p', principal: alice, scopes, session };

  it.each<[string, unknown, string]>([
    ['an unknown provider', { ...good, provider: 'q' }, 'provider'],
    ['no principal', { ...good, principal: undefined }, 'principal'],
    ['a principal without a subject', { ...good, principal: { subject: '' } }, 'principal.subject'],
    ['no scopes', { ...good, scopes: [] }, 'scopes'],
    ['no session', { ...good, session: '' }, 'session'],
    ['an option that is none', { ...good, state: 'x' }, 'state'],
    ['a resource without an indicator', { ...good, resources: ['api'] }, 'resources'],
  ])('names what is wrong with %s', async (_what, options, path) => {
    const { world, connect } = await setUp();
    await using _ = world;
    await expect(connect.start(options as StartConnection)).rejects.toMatchObject({
      name: 'ConfigurationError',
      paths: [path],
    });
  });

  it('names the missing redirectUri of the provider', async () => {
    const world = await createWorld();
    await using _ = world;
    await expect(world.start().outlive.connect.start(good)).rejects.toThrow(
      'providers.p.redirectUri: expected the URL of your callback; got nothing',
    );
  });

  it.each<[string, unknown, string]>([
    ['no URL', { url: 'callback?code=1', session }, 'url'],
    ['no session', { url: `${redirectUri}?code=1` }, 'session'],
  ])('names what is wrong with a callback with %s', async (_what, options, path) => {
    const { world, connect } = await setUp();
    await using _ = world;
    await expect(connect.callback(options as FinishConnection)).rejects.toMatchObject({
      name: 'ConfigurationError',
      paths: [path],
    });
  });
});

import { describe, expect, it } from 'vitest';
import { alice, createWorld } from './world.ts';

describe('a connection', () => {
  it('takes no token that is bound to a key', async () => {
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

  it('takes a token without a lifetime, and its refresh token', async () => {
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

  it('counts the lifetime from before the request', async () => {
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

  it('that nobody came back from is forgotten', async () => {
    const world = await createWorld({
      process: { provider: { redirectUri: 'http://127.0.0.1:9999/callback' } },
    });
    await using _ = world;
    const { outlive } = world.start();
    await outlive.connect.start({
      provider: 'p',
      principal: alice,
      scopes: ['read'],
      session: 's',
    });
    world.clock.skip(700_000);
    await outlive.maintain();
    const left = [];
    for await (const one of world.store.list({ kind: 'connection' })) left.push(one);
    expect(left).toEqual([]);
  });
});

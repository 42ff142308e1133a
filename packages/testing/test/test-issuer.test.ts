import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../src/index.ts';
import { confidentialClient, errorOf } from './issuer-client.ts';

let issuer: TestIssuer;
let agent: oidc.Configuration;
beforeEach(async () => {
  issuer = await createTestIssuer();
  agent = await confidentialClient(issuer);
});
afterEach(async () => {
  vi.useRealTimers();
  await issuer.close();
});

/** Stops the wall clock that the issuer reads; timers and sockets stay real. */
function stopTime(): void {
  vi.useFakeTimers({ toFake: ['Date'] });
}

function passTime(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

function refresh(refreshToken: string | undefined, parameters: Record<string, string> = {}) {
  return oidc.refreshTokenGrant(agent, refreshToken ?? '', parameters);
}

describe('rotation', () => {
  it('replaces the refresh token and counts what was granted', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });

    const second = await refresh(tokenResponse.refresh_token);
    const third = await refresh(second.refresh_token);

    const values = [tokenResponse, second, third].map((response) => response.refresh_token);
    expect(new Set(values).size).toBe(3);
    expect(issuer.grant(grantId)).toEqual({ alive: true, generations: 2 });
    expect(issuer.counters).toMatchObject({ tokenRequests: 2, refreshRequests: 2, refreshes: 2 });
    expect(issuer.presentations(grantId)).toEqual([
      { ordinal: 0, times: 1 },
      { ordinal: 1, times: 1 },
      { ordinal: 2, times: 0 },
    ]);
  });

  it('can be switched off while the issuer runs', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    issuer.options.rotate = false;

    expect((await refresh(tokenResponse.refresh_token)).refresh_token).toBe(
      tokenResponse.refresh_token,
    );
    await refresh(tokenResponse.refresh_token);
    expect(issuer.grant(grantId)).toEqual({ alive: true, generations: 2 });
  });

  it('leaves earlier access tokens good, or ends them', async () => {
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const second = await refresh(tokenResponse.refresh_token);
    expect(await issuer.accessToken(tokenResponse.access_token)).toBeDefined();

    issuer.options.accessTokenAfterRotation = 'revoked';
    const third = await refresh(second.refresh_token);
    expect(await issuer.accessToken(second.access_token)).toBeUndefined();
    expect(await issuer.accessToken(third.access_token)).toBeDefined();
  });

  it('answers access tokens that live exactly as long as they say', async () => {
    stopTime();
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const { access_token: token, expires_in: seconds } = await refresh(tokenResponse.refresh_token);
    expect(seconds).toBe(5);

    passTime(4999);
    expect(await issuer.accessToken(token)).toBeDefined();
    passTime(1);
    expect(await issuer.accessToken(token)).toBeUndefined();
  });

  it('answers JWT access tokens that live at least as long as they say', async () => {
    stopTime();
    issuer.options.accessTokenFormat = 'jwt';
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    passTime(4999);
    expect(await issuer.accessToken(tokenResponse.access_token)).toMatchObject({ subject: 'ana' });
    passTime(1001);
    expect(await issuer.accessToken(tokenResponse.access_token)).toBeUndefined();
  });

  it('lets a refresh token expire', async () => {
    stopTime();
    issuer.options.refreshTokenLifetimeMs = 60_000;
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    passTime(60_000);
    expect(await errorOf(refresh(tokenResponse.refresh_token))).toBe('invalid_grant');
    expect(issuer.grant(grantId).alive).toBe(true);
  });
});

describe('issuedTokens', () => {
  it('has every token that was given out, also in a response that was lost', async () => {
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const second = await refresh(tokenResponse.refresh_token);
    using _lost = issuer.fault(() => ({ fault: 'dropAfter' }));
    await refresh(second.refresh_token).catch((error: unknown) => expect(error).toBeDefined());

    const issued = issuer.issuedTokens();
    expect(issued.slice(0, 4).map(({ value }) => value)).toEqual([
      tokenResponse.access_token,
      tokenResponse.refresh_token,
      second.access_token,
      second.refresh_token,
    ]);
    expect(issued.map(({ type }) => type)).toEqual(
      Array.from({ length: 3 }, () => ['access_token', 'refresh_token']).flat(),
    );
  });
});

describe('reuse of a refresh token', () => {
  it('ends the grant when it comes later', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const second = await refresh(tokenResponse.refresh_token);

    expect(await errorOf(refresh(tokenResponse.refresh_token))).toBe('invalid_grant');
    expect(await errorOf(refresh(second.refresh_token))).toBe('invalid_grant');
    expect(await issuer.accessToken(second.access_token)).toBeUndefined();
    expect(issuer.grant(grantId)).toEqual({ alive: false, generations: 1 });
    expect(issuer.counters).toMatchObject({ reuseDetected: 1, grantsKilled: 1 });
  });

  it('ends the grant when two refreshes present it in parallel', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    // Both are let in at once, so that both find the token untouched before either consumes it.
    const bothArrived = Promise.withResolvers<undefined>();
    using _together = issuer.fault(({ number }) => {
      if (number === 2) bothArrived.resolve(undefined);
      return bothArrived.promise;
    });

    const outcomes = await Promise.allSettled([
      refresh(tokenResponse.refresh_token),
      refresh(tokenResponse.refresh_token),
    ]);

    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const won = outcomes.find((outcome) => outcome.status === 'fulfilled')?.value;
    expect(await errorOf(refresh(won?.refresh_token))).toBe('invalid_grant');
    expect(await issuer.accessToken(won?.access_token ?? '')).toBeUndefined();
    expect(issuer.grant(grantId).alive).toBe(false);
    expect(issuer.counters).toMatchObject({ reuseDetected: 1, grantsKilled: 1 });
    expect(issuer.presentations(grantId)[0]).toEqual({ ordinal: 0, times: 2 });
  });

  it('is forgiven within a leeway only', async () => {
    stopTime();
    issuer.options.reuse = { leewayMs: 10_000 };
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const [one, two] = await Promise.all([
      refresh(tokenResponse.refresh_token),
      refresh(tokenResponse.refresh_token),
    ]);
    expect(one.refresh_token).not.toBe(two.refresh_token);
    expect(issuer.grant(grantId)).toEqual({ alive: true, generations: 2 });

    passTime(10_000);
    expect(await errorOf(refresh(tokenResponse.refresh_token))).toBe('invalid_grant');
    expect(issuer.grant(grantId).alive).toBe(false);
  });

  it('is forgiven until the replacement is used', async () => {
    issuer.options.reuse = 'untilChildUsed';
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    await refresh(tokenResponse.refresh_token);
    const child = await refresh(tokenResponse.refresh_token);
    await refresh(child.refresh_token);
    expect(issuer.counters.reuseDetected).toBe(0);

    expect(await errorOf(refresh(tokenResponse.refresh_token))).toBe('invalid_grant');
    expect(issuer.grant(grantId).alive).toBe(false);
  });
});

describe('narrowing', () => {
  it('gives fewer scopes to one access token and leaves the grant its own', async () => {
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });

    const narrow = await refresh(tokenResponse.refresh_token, { scope: 'read' });
    expect(narrow.scope).toBe('read');
    expect((await issuer.accessToken(narrow.access_token))?.scopes).toEqual(['read']);

    const wide = await refresh(narrow.refresh_token);
    expect((await issuer.accessToken(wide.access_token))?.scopes).toEqual([
      'read',
      'write',
      'admin',
    ]);
  });

  it('refuses scopes that the grant does not have, without consuming the token', async () => {
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana', scopes: ['read'] });
    expect(await errorOf(refresh(tokenResponse.refresh_token, { scope: 'admin' }))).toBe(
      'invalid_scope',
    );
    expect((await refresh(tokenResponse.refresh_token)).scope).toBe('read');
  });

  it('mints for one resource of several (RFC 8707)', async () => {
    const mail = 'https://mail.example';
    const tasks = 'https://tasks.example';
    issuer.options.resources = { [mail]: { scopes: ['send'] }, [tasks]: { scopes: ['list'] } };
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana', resources: [mail, tasks] });
    expect(await issuer.accessToken(tokenResponse.access_token)).toEqual({
      subject: 'ana',
      clientId: 'agent',
      scopes: ['send'],
      audience: [mail],
    });

    const forTasks = await refresh(tokenResponse.refresh_token, { resource: tasks });
    expect(await issuer.accessToken(forTasks.access_token)).toMatchObject({
      scopes: ['list'],
      audience: [tasks],
    });
    const forFirst = await refresh(forTasks.refresh_token);
    expect(await issuer.accessToken(forFirst.access_token)).toMatchObject({ audience: [mail] });
  });

  it('consumes the token before it refuses a resource, as some issuers do', async () => {
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const resource = 'https://elsewhere.example';
    expect(await errorOf(refresh(tokenResponse.refresh_token, { resource }))).toBe(
      'invalid_target',
    );
    expect(await errorOf(refresh(tokenResponse.refresh_token))).toBe('invalid_grant');
    expect(issuer.counters.reuseDetected).toBe(1);
  });
});

describe('revocation (RFC 7009)', () => {
  it('of an access token ends the whole grant by default', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    await oidc.tokenRevocation(agent, tokenResponse.access_token);
    expect(issuer.grant(grantId).alive).toBe(false);
    expect(await errorOf(refresh(tokenResponse.refresh_token))).toBe('invalid_grant');
    expect(issuer.counters).toMatchObject({ revocations: 1, grantsKilled: 1, reuseDetected: 0 });
  });

  it('of an access token can end that token alone', async () => {
    issuer.options.accessTokenRevocation = 'token';
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const second = await refresh(tokenResponse.refresh_token);
    await oidc.tokenRevocation(agent, tokenResponse.access_token);
    expect(await issuer.accessToken(tokenResponse.access_token)).toBeUndefined();
    expect(await issuer.accessToken(second.access_token)).toBeDefined();
    expect(issuer.grant(grantId).alive).toBe(true);
  });

  it('of a refresh token ends the grant, also of one that was already rotated', async () => {
    issuer.options.accessTokenRevocation = 'token';
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    await refresh(tokenResponse.refresh_token);
    await oidc.tokenRevocation(agent, tokenResponse.refresh_token);
    expect(issuer.grant(grantId).alive).toBe(false);
  });

  it('does not reach JWT access tokens', async () => {
    issuer.options.accessTokenFormat = 'jwt';
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    expect(await errorOf(oidc.tokenRevocation(agent, tokenResponse.access_token))).toBe(
      'unsupported_token_type',
    );
    expect(issuer.grant(grantId).alive).toBe(true);
    expect(await issuer.accessToken(tokenResponse.access_token)).toMatchObject({ subject: 'ana' });
  });
});

describe('introspection (RFC 7662)', () => {
  it('tells an untouched refresh token from a rotated one, without a side effect', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const probe = (token: string) => oidc.tokenIntrospection(agent, token);
    expect(await probe(tokenResponse.refresh_token)).toMatchObject({ active: true, sub: 'ana' });
    await refresh(tokenResponse.refresh_token);
    expect(await probe(tokenResponse.refresh_token)).toEqual({ active: false });
    expect(issuer.grant(grantId).alive).toBe(true);
    expect(issuer.counters.introspections).toBe(2);
  });

  it('can be absent', async () => {
    issuer.options.introspection = false;
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    const blind = await confidentialClient(issuer);
    expect(blind.serverMetadata().introspection_endpoint).toBeUndefined();
    expect(agent.serverMetadata().introspection_endpoint).toBeDefined();
    await expect(oidc.tokenIntrospection(agent, tokenResponse.refresh_token)).rejects.toThrow();
  });
});

describe('clients', () => {
  it('get tokens of their own (RFC 6749 section 4.4)', async () => {
    const own = await oidc.clientCredentialsGrant(agent, { scope: 'read' });
    expect(await issuer.accessToken(own.access_token)).toMatchObject({
      subject: 'agent',
      scopes: ['read'],
    });
  });

  it('are those that were given', async () => {
    await using other = await createTestIssuer({
      clients: [{ clientId: 'crm', clientSecret: 'hush', authentication: 'client_secret_post' }],
    });
    const crm = await oidc.discovery(
      new URL(other.url),
      'crm',
      undefined,
      oidc.ClientSecretPost('hush'),
      { execute: [oidc.allowInsecureRequests] },
    );
    const { tokenResponse } = await other.seedGrant({ subject: 'ana', clientId: 'crm' });
    const next = await oidc.refreshTokenGrant(crm, tokenResponse.refresh_token);
    expect(await other.accessToken(next.access_token)).toMatchObject({ clientId: 'crm' });
  });
});

describe('a test issuer', () => {
  it('forgets none of 1500 grants', async () => {
    const seeded = await Promise.all(
      Array.from({ length: 1500 }, (_, index) => issuer.seedGrant({ subject: `user-${index}` })),
    );
    const first = await refresh(seeded[0]?.tokenResponse.refresh_token);
    expect(await issuer.accessToken(first.access_token)).toMatchObject({ subject: 'user-0' });
    expect(Object.keys(issuer.grants)).toHaveLength(1500);
    expect(Object.values(issuer.grants).every(({ alive }) => alive)).toBe(true);
  });

  it('knows scopes that belong to no resource', async () => {
    await using other = await createTestIssuer({ scopes: ['offline_access', 'profile'] });
    const client = await confidentialClient(other);
    expect(client.serverMetadata().scopes_supported).toContain('profile');
    const { tokenResponse } = await other.seedGrant({
      subject: 'ana',
      scopes: ['profile', 'read'],
    });
    expect(tokenResponse.scope).toBe('read');
    const next = await oidc.refreshTokenGrant(client, tokenResponse.refresh_token);
    expect([next.scope, next.id_token]).toEqual(['read', undefined]);
  });

  it('tells other processes its counters and grants', async () => {
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ana' });
    await refresh(tokenResponse.refresh_token);
    const page: unknown = await (await fetch(`${issuer.url}/counters`)).json();
    expect(page).toEqual({
      counters: { ...issuer.counters },
      grants: { [grantId]: { alive: true, generations: 1 } },
    });
  });

  it('names the option that is wrong, at creation and later', async () => {
    await expect(createTestIssuer({ accessTokenLifetimeMs: 999 })).rejects.toThrow(
      'accessTokenLifetimeMs must be a number of at least 1000, not 999',
    );
    await expect(createTestIssuer({ resources: {} })).rejects.toThrow(/resources must be/);
    expect(() => {
      issuer.options.reuse = { leewayMs: -1 };
    }).toThrow(/reuse must be .* not \{"leewayMs":-1\}/);
    expect(() => Object.assign(issuer.options, { lifetime: 1 })).toThrow(/no option 'lifetime'/);
  });

  it('names what a seeded grant asks for in vain', async () => {
    await expect(issuer.seedGrant({ subject: '' })).rejects.toThrow(/subject/);
    await expect(issuer.seedGrant({ subject: 'ana', clientId: 'x' })).rejects.toThrow(/'x'/);
    await expect(issuer.seedGrant({ subject: 'ana', scopes: ['fly'] })).rejects.toThrow(/not fly/);
    await expect(
      issuer.seedGrant({ subject: 'ana', resources: ['https://x.example'] }),
    ).rejects.toThrow(/not https:\/\/x\.example/);
    expect(() => issuer.grant('nothing')).toThrow(/no grant 'nothing'/);
  });

  it('may be closed twice', async () => {
    await issuer.close();
    await issuer.close();
  });
});

import * as oidc from 'openid-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../src/index.ts';
import { confidentialClient } from './issuer-client.ts';

const redirectUri = 'http://127.0.0.1:9999/callback';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createTestIssuer();
});
afterEach(() => issuer.close());

async function request(client: oidc.Configuration, parameters: Record<string, string> = {}) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    scope: 'openid offline_access read write',
    prompt: 'consent',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    ...parameters,
  });
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state } };
}

describe('the authorization code flow', () => {
  it('gives a grant for what was asked, with state and iss checked', async () => {
    const client = await confidentialClient(issuer);
    const { url, checks } = await request(client);

    const callback = await issuer.authorize(url, { subject: 'ana' });
    expect(callback.searchParams.get('iss')).toBe(issuer.url);
    const tokens = await oidc.authorizationCodeGrant(client, callback, checks);

    expect(tokens.claims()?.sub).toBe('ana');
    expect(await issuer.accessToken(tokens.access_token)).toEqual({
      subject: 'ana',
      clientId: 'agent',
      scopes: ['read', 'write'],
      audience: [`${issuer.url}/api`],
    });
    const refreshed = await oidc.refreshTokenGrant(client, tokens.refresh_token ?? '');
    expect(refreshed.scope).toBe('read write');
    expect(Object.values(issuer.grants)).toEqual([{ alive: true, generations: 1 }]);
  });

  it('serves a public client and a named resource', async () => {
    const mail = 'https://mail.example';
    issuer.options.resources = { ...issuer.options.resources, [mail]: { scopes: ['send'] } };
    const client = await oidc.discovery(new URL(issuer.url), 'cli', undefined, oidc.None(), {
      execute: [oidc.allowInsecureRequests],
    });
    const { url, checks } = await request(client, { resource: mail, scope: 'openid send' });
    const callback = await issuer.authorize(url, { subject: 'ben' });
    const tokens = await oidc.authorizationCodeGrant(client, callback, checks);
    expect(await issuer.accessToken(tokens.access_token)).toMatchObject({
      subject: 'ben',
      clientId: 'cli',
      audience: [mail],
      scopes: ['send'],
    });
    expect(tokens.refresh_token).toBeDefined();
  });

  it('refuses a code that comes twice and ends the grant it gave', async () => {
    const client = await confidentialClient(issuer);
    const { url, checks } = await request(client);
    const callback = await issuer.authorize(url, { subject: 'ana' });
    await oidc.authorizationCodeGrant(client, callback, checks);
    await expect(oidc.authorizationCodeGrant(client, callback, checks)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    expect(Object.values(issuer.grants)).toEqual([{ alive: false, generations: 0 }]);
  });

  it('comes back with an error when the user or the issuer says no', async () => {
    const client = await confidentialClient(issuer);
    issuer.user('eve').active = false;
    for (const person of [{ subject: 'ana', decision: 'deny' as const }, { subject: 'eve' }]) {
      const { url, checks } = await request(client);
      const callback = await issuer.authorize(url, person);
      expect(callback.searchParams.get('error')).toBe('access_denied');
      expect(callback.searchParams.get('state')).toBe(checks.expectedState);
    }
    expect(issuer.grants).toEqual({});
  });

  it('throws when the issuer cannot redirect', async () => {
    const client = await confidentialClient(issuer);
    const { url } = await request(client, { redirect_uri: 'https://elsewhere.example/' });
    await expect(issuer.authorize(url, { subject: 'ana' })).rejects.toThrow(
      /400 from \/auth: .*redirect_uri/,
    );
  });

  it('shows pages that a person can use, and escapes what they show', async () => {
    const client = await confidentialClient(issuer);
    const { url } = await request(client, { login_hint: '"><script>' });
    const first = await fetch(url, { redirect: 'manual' });
    const cookie = first.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    const page = await fetch(new URL(first.headers.get('location') ?? '', issuer.url), {
      headers: { cookie },
    });
    const html = await page.text();
    expect(html).toContain('name="subject"');
    expect(html).not.toContain('<script>');
  });
});

import { createTestIssuer, type TestIssuer } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { AuthError, ConfigurationError } from '../src/errors.ts';
import type { Issuer, TokenOutcome } from '../src/issuer.ts';
import { createOpenidIssuer, type OpenidIssuerOptions } from '../src/openid-issuer.ts';
import { Secret } from '../src/secret.ts';
import { answer, startScriptedServer, unusedUrl } from './scripted-server.ts';

const redirectUri = 'http://127.0.0.1:9999/callback';
const codeVerifier = new Secret('verifier-0123456789-0123456789-0123456789-01');
const flow = { redirectUri, codeVerifier, state: 'state-1', nonce: 'nonce-1' };
const request = { ...flow, scopes: ['openid', 'offline_access', 'read'] };

function agentOf(url: string, options: Partial<OpenidIssuerOptions> = {}): Issuer {
  return createOpenidIssuer({
    issuer: url,
    clientId: 'agent',
    clientSecret: new Secret('agent-secret'),
    clock: systemClock,
    ...options,
  });
}

/** Walks the flow up to the callback. */
async function callbackOf(
  issuer: TestIssuer,
  agent: Issuer,
  decision: 'allow' | 'deny' = 'allow',
): Promise<URL> {
  const parameters = { prompt: 'consent' };
  const url = await agent.authorizationUrl({ ...request, parameters });
  return issuer.authorize(url, { subject: 'ada', decision });
}

describe('the code flow', () => {
  it('goes out with PKCE, state, nonce and the resources', async () => {
    await using issuer = await createTestIssuer();
    const url = await agentOf(issuer.url).authorizationUrl({
      ...request,
      resources: ['https://a.example', 'https://b.example'],
      loginHint: 'ada',
      parameters: { acr_values: 'strong' },
    });
    const query = url.searchParams;
    expect(query.getAll('resource')).toEqual(['https://a.example', 'https://b.example']);
    expect(Object.fromEntries(query)).toMatchObject({
      client_id: 'agent',
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: 'openid offline_access read',
      state: 'state-1',
      nonce: 'nonce-1',
      login_hint: 'ada',
      acr_values: 'strong',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(url.href).not.toContain(codeVerifier.reveal());
  });

  it('comes back with a pair and the subject of the ID token', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    const outcome = await agent.exchangeCode({ ...flow, callbackUrl });
    expect(outcome).toMatchObject({
      outcome: 'granted',
      tokens: { subject: 'ada', tokenType: 'bearer', refreshToken: expect.any(Secret) },
    });
    expect(issuer.counters.tokenRequests).toBe(1);
  });

  it('redeems a code once', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    await agent.exchangeCode({ ...flow, callbackUrl });
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toMatchObject({
      outcome: 'rejected',
      error: 'invalid_grant',
    });
  });

  it('with another verifier is rejected by the issuer', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    const other = new Secret(codeVerifier.reveal().toUpperCase());
    expect(await agent.exchangeCode({ ...flow, callbackUrl, codeVerifier: other })).toMatchObject({
      outcome: 'rejected',
      error: 'invalid_grant',
    });
  });

  it('sends the redirect URI as it was given, not as a URL parser writes it', async () => {
    await using server = await startScriptedServer(answer(400, { error: 'invalid_grant' }));
    const metadata = { issuer: server.url, token_endpoint: `${server.url}/token` };
    const given = 'http://127.0.0.1:9999?tenant=a';
    await agentOf(server.url, { metadata }).exchangeCode({
      ...flow,
      redirectUri: given,
      callbackUrl: new URL(`${given}&state=state-1&code=c`),
    });
    expect(server.requests[0]?.get('redirect_uri')).toBe(given);
    expect(server.requests[0]?.get('code_verifier')).toBe(codeVerifier.reveal());
  });
});

describe('a callback is refused before its code is sent', () => {
  it.each<[string, string, (query: URLSearchParams) => void]>([
    ['another state', 'state_mismatch', (query) => query.set('state', 'state-2')],
    ['no state', 'state_mismatch', (query) => query.delete('state')],
    ['two states', 'duplicate_parameter', (query) => query.append('state', 'state-1')],
    [
      'the iss of a mixed-up issuer',
      'issuer_mismatch',
      (query) => query.set('iss', 'https://evil.example'),
    ],
    [
      'an iss that only differs by a slash',
      'issuer_mismatch',
      (query) => query.set('iss', `${query.get('iss')}/`),
    ],
    ['no iss, which this issuer promised', 'issuer_missing', (query) => query.delete('iss')],
    ['no code', 'code_missing', (query) => query.delete('code')],
  ])('with %s', async (_what, error, tamper) => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    tamper(callbackUrl.searchParams);
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toEqual({
      outcome: 'rejected',
      kind: 'reauthorization_required',
      error,
    });
    expect(issuer.counters.tokenRequests).toBe(0);
  });

  it('when the person denied it', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent, 'deny');
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toEqual({
      outcome: 'rejected',
      kind: 'reauthorization_required',
      error: 'access_denied',
    });
    expect(issuer.counters.tokenRequests).toBe(0);
  });

  it('when the issuer asks for a stronger sign-in, or says something odd', async () => {
    const metadata = { issuer: 'https://as.example' };
    const agent = agentOf('https://as.example', { metadata });
    const outcomeOf = (error: string): Promise<TokenOutcome> => {
      const callbackUrl = new URL(redirectUri);
      callbackUrl.search = String(new URLSearchParams({ state: 'state-1', error }));
      return agent.exchangeCode({ ...flow, callbackUrl });
    };
    expect(await outcomeOf('login_required')).toMatchObject({ kind: 'step_up_required' });
    expect(await outcomeOf('<script>')).toMatchObject({ error: 'unrecognized_error' });
  });

  it('without iss where the app demands one that the metadata does not promise', async () => {
    const metadata = { issuer: 'https://as.example' };
    const agent = agentOf('https://as.example', { metadata, responseIssuerRequired: true });
    const callbackUrl = new URL(`${redirectUri}?state=state-1&code=c`);
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toMatchObject({
      outcome: 'rejected',
      error: 'issuer_missing',
    });
  });
});

describe('a token response whose ID token is not ours is not taken', () => {
  it.each<[string, string | undefined]>([
    ['another nonce', 'nonce-2'],
    ['a nonce that was not asked for', undefined],
  ])('with %s', async (_what, nonce) => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    const { nonce: _, ...rest } = flow;
    const expected = nonce === undefined ? rest : { ...rest, nonce };
    expect(await agent.exchangeCode({ ...expected, callbackUrl })).toEqual({
      outcome: 'rejected',
      kind: 'reauthorization_required',
      error: 'nonce_mismatch',
    });
  });

  it('without an ID token when a nonce asked for one', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    using _ = issuer.fault(() => ({
      fault: 'patch',
      patch: ({ id_token: _removed, ...tokens }) => tokens,
    }));
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toMatchObject({
      outcome: 'rejected',
      error: 'nonce_mismatch',
    });
  });

  it('with an ID token that cannot be decoded', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    using _ = issuer.fault(() => ({
      fault: 'patch',
      patch: (tokens) => ({ ...tokens, id_token: 'é.é.é' }),
    }));
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toMatchObject({
      outcome: 'unknown',
      kind: 'protocol',
    });
  });

  it('nor salvaged: an ID token of another issuer decides', async () => {
    await using issuer = await createTestIssuer();
    const agent = agentOf(issuer.url);
    const callbackUrl = await callbackOf(issuer, agent);
    using _ = issuer.fault(() => ({
      fault: 'patch',
      patch: ({ id_token: genuine, ...tokens }) => {
        const [header, payload = '', signature] = String(genuine).split('.');
        const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
        const forged = JSON.stringify({ ...claims, iss: 'https://evil.example' });
        const parts = [header, Buffer.from(forged).toString('base64url'), signature];
        return { ...tokens, id_token: parts.join('.') };
      },
    }));
    expect(await agent.exchangeCode({ ...flow, callbackUrl })).toMatchObject({
      outcome: 'unknown',
      kind: 'protocol',
      error: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
    });
  });
});

describe('an authorization request is refused', () => {
  const issuer = 'https://as.example';
  const metadata = { issuer, authorization_endpoint: `${issuer}/authorize` };

  it.each<[string, object, Partial<Parameters<Issuer['authorizationUrl']>[0]>]>([
    [
      'metadata.code_challenge_methods_supported',
      { code_challenge_methods_supported: ['plain'] },
      {},
    ],
    ['metadata.authorization_endpoint', { authorization_endpoint: undefined }, {}],
    ['metadata.authorization_endpoint', { authorization_endpoint: 'http://as.example/a' }, {}],
    ['state', {}, { state: '' }],
    ['codeVerifier', {}, { codeVerifier: new Secret('too-short') }],
    ['parameters.state', {}, { parameters: { state: 'mine' } }],
    ['parameters.code_challenge_method', {}, { parameters: { code_challenge_method: 'plain' } }],
  ])('naming %s, for %j %j', async (path, server, overridden) => {
    const agent = agentOf(issuer, { metadata: { ...metadata, ...server } });
    const url = agent.authorizationUrl({ ...request, ...overridden });
    await expect(url).rejects.toBeInstanceOf(ConfigurationError);
    await expect(url).rejects.toMatchObject({ paths: [path] });
    await expect(url).rejects.not.toThrow(/too-short/);
  });

  it('not for want of a list of PKCE methods', async () => {
    const agent = agentOf(issuer, { metadata });
    const url = await agent.authorizationUrl(request);
    expect(url.searchParams.get('code_challenge_method')).toBe('S256');
  });

  it('with an AuthError while the issuer cannot be discovered', async () => {
    const error = await agentOf(await unusedUrl())
      .authorizationUrl(request)
      .catch((thrown: unknown) => thrown);
    expect(AuthError.is(error)).toBe(true);
    expect(error).toMatchObject({ code: 'issuer_unavailable', reason: 'ECONNREFUSED' });
  });
});

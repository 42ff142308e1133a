import { inspect } from 'node:util';
import { createTestIssuer, type TestIssuer, type TokenFault } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { Secret } from '../src/secret.ts';
import { agentOf, refreshOf, refreshUnder, revealed } from './agent-of.ts';
import { answer, startScriptedServer, unusedUrl } from './scripted-server.ts';

function jsonPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function idToken(claims: object): string {
  return `${jsonPart({ alg: 'ES256' })}.${jsonPart(claims)}.${jsonPart({})}`;
}

describe('each way a refresh can go wrong is presented once and told apart', () => {
  it.each<[string, TokenFault, object, { consumed: boolean }]>([
    [
      'dropped before it was processed',
      { fault: 'dropBefore' },
      { outcome: 'unknown', kind: 'transient' },
      { consumed: false },
    ],
    [
      'dropped after it was processed',
      { fault: 'dropAfter' },
      { outcome: 'unknown', kind: 'transient' },
      { consumed: true },
    ],
    [
      '503 with Retry-After',
      { fault: 'status', status: 503, headers: { 'retry-after': '4' } },
      { outcome: 'unknown', kind: 'transient', error: 'http_503', retryAfterMs: 4000 },
      { consumed: false },
    ],
    [
      '502 in HTML',
      { fault: 'status', status: 502, body: '<h1>Bad gateway</h1>' },
      { outcome: 'unknown', kind: 'transient', error: 'http_502' },
      { consumed: false },
    ],
    [
      '429',
      { fault: 'status', status: 429, body: {}, headers: { 'retry-after': '2' } },
      { outcome: 'notSent', kind: 'rate_limited', retryAfterMs: 2000 },
      { consumed: false },
    ],
    [
      '400 login_required',
      { fault: 'status', status: 400, body: { error: 'login_required' } },
      { outcome: 'rejected', kind: 'step_up_required', error: 'login_required' },
      { consumed: false },
    ],
    [
      '401 invalid_grant beside a challenge',
      {
        fault: 'status',
        status: 401,
        body: { error: 'invalid_grant' },
        headers: { 'www-authenticate': 'Basic realm="as"' },
      },
      { outcome: 'rejected', kind: 'reauthorization_required', error: 'invalid_grant' },
      { consumed: false },
    ],
    [
      '200 with an OAuth error',
      { fault: 'status', status: 200, body: { error: 'invalid_grant' } },
      { outcome: 'rejected', kind: 'reauthorization_required', error: 'invalid_grant' },
      { consumed: false },
    ],
    [
      '200 with an error that is not registered',
      { fault: 'status', status: 200, body: { error: 'bad_refresh_token' } },
      { outcome: 'unknown', kind: 'protocol', error: 'bad_refresh_token' },
      { consumed: false },
    ],
    [
      '200 in HTML',
      { fault: 'body', body: '<h1>Sign in to the network</h1>', contentType: 'text/html' },
      { outcome: 'unknown', kind: 'protocol', error: 'OAUTH_RESPONSE_IS_NOT_JSON' },
      { consumed: true },
    ],
    [
      '200 with broken JSON',
      { fault: 'body', body: '{"access_token":"abc' },
      { outcome: 'unknown', kind: 'protocol', error: 'OAUTH_PARSE_ERROR' },
      { consumed: true },
    ],
    [
      '200 with an empty body',
      { fault: 'body', body: '' },
      { outcome: 'unknown', kind: 'protocol' },
      { consumed: true },
    ],
    [
      '200 with a refresh token that is no text',
      { fault: 'patch', patch: (response) => ({ ...response, refresh_token: 5 }) },
      { outcome: 'unknown', kind: 'protocol', error: 'OAUTH_INVALID_RESPONSE' },
      { consumed: true },
    ],
  ])('%s', async (_what, fault, expected, { consumed }) => {
    await using issuer = await createTestIssuer();
    const { outcome, presented, generations } = await refreshUnder(issuer, fault);
    expect(outcome).toMatchObject(expected);
    expect(presented[0]).toBe(1);
    expect(issuer.counters.tokenRequests).toBe(1);
    expect(generations).toBe(consumed ? 1 : 0);
  });

  it('a refresh token that is not known any more', async () => {
    await using issuer = await createTestIssuer();
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    const agent = agentOf(issuer);
    await agent.refresh(refreshOf(tokenResponse.refresh_token));
    expect(await agent.refresh(refreshOf(tokenResponse.refresh_token))).toMatchObject({
      outcome: 'rejected',
      kind: 'reauthorization_required',
      error: 'invalid_grant',
    });
    expect(issuer.counters).toMatchObject({ tokenRequests: 2, reuseDetected: 1 });
  });

  it('a resource that the issuer refuses only after it has consumed the token', async () => {
    await using issuer = await createTestIssuer();
    const resource = 'https://nope.example';
    const { outcome, presented } = await refreshUnder(issuer, undefined, { resource });
    expect(outcome).toMatchObject({
      outcome: 'unknown',
      kind: 'bad_request',
      error: 'invalid_target',
    });
    expect(presented[0]).toBe(1);
  });

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    'a wrong secret, sent as %s',
    async (method) => {
      await using issuer = await createTestIssuer({
        clients: [{ clientId: 'agent', clientSecret: 'agent-secret', authentication: method }],
      });
      const { outcome, generations } = await refreshUnder(issuer, undefined, {
        clientSecret: new Secret('wrong'),
        clientAuthentication: method,
      });
      expect(outcome).toMatchObject({
        outcome: 'notSent',
        kind: 'misconfigured',
        error: 'invalid_client',
      });
      expect(generations).toBe(0);
      expect(issuer.counters.tokenRequests).toBe(1);
    },
  );

  it('a refused connection', async () => {
    const url = await unusedUrl();
    const metadata = { issuer: url, token_endpoint: `${url}/token` };
    expect(await agentOf({ url }, { metadata }).refresh(refreshOf('any'))).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
      error: 'ECONNREFUSED',
    });
  });

  it('metadata without a token endpoint, or with one that is not protected', async () => {
    await using server = await startScriptedServer(answer(200, {}));
    const { url } = server;
    const none = agentOf(server, { metadata: { issuer: url } });
    const outside = agentOf(server, {
      metadata: { issuer: url, token_endpoint: 'http://as.example/token' },
    });
    for (const agent of [none, outside])
      expect(await agent.refresh(refreshOf('any'))).toMatchObject({
        outcome: 'notSent',
        kind: 'misconfigured',
      });
  });
});

describe('a pair whose response fails validation is not lost', () => {
  const soon = Math.floor(Date.now() / 1000) + 600;
  const good = (issuer: TestIssuer): object => ({
    iss: issuer.url,
    aud: 'agent',
    sub: 'ada',
    iat: soon - 600,
    exp: soon,
  });

  it.each<[string, (issuer: TestIssuer) => object, string]>([
    [
      'an ID token of another issuer',
      () => ({ iss: 'https://evil.example' }),
      'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
    ],
    [
      'an ID token for another client',
      () => ({ aud: 'other' }),
      'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
    ],
    ['an expired ID token', () => ({ exp: 1_000_000_000 }), 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED'],
  ])('%s', async (_what, bad, salvaged) => {
    await using issuer = await createTestIssuer();
    const { outcome, presented } = await refreshUnder(issuer, {
      fault: 'patch',
      patch: (response) => ({
        ...response,
        id_token: idToken({ ...good(issuer), ...bad(issuer) }),
      }),
    });
    expect(outcome).toMatchObject({ outcome: 'granted', salvaged });
    expect(outcome).not.toHaveProperty('tokens.subject');
    expect(presented).toEqual([1, 0]);
    const next = await agentOf(issuer).refresh(refreshOf(revealed(outcome).refreshToken ?? ''));
    expect(next.outcome).toBe('granted');
    expect(issuer.counters.reuseDetected).toBe(0);
  });

  it.each<[string, (response: Record<string, unknown>) => Record<string, unknown>, object]>([
    ['an odd token type', (tokens) => ({ ...tokens, token_type: 'MAC' }), { tokenType: 'mac' }],
    [
      'no token type',
      ({ token_type: _, ...tokens }) => tokens,
      { tokenType: 'bearer', scopes: ['read', 'write', 'admin'] },
    ],
    ['a list of scopes', (tokens) => ({ ...tokens, scope: ['read'] }), { scopes: ['read'] }],
  ])('%s', async (_what, patch, tokens) => {
    await using issuer = await createTestIssuer();
    const { outcome } = await refreshUnder(issuer, { fault: 'patch', patch });
    expect(outcome).toMatchObject({
      outcome: 'granted',
      tokens,
      salvaged: expect.stringMatching(/^OAUTH_/),
    });
    const next = await agentOf(issuer).refresh(refreshOf(revealed(outcome).refreshToken ?? ''));
    expect(next.outcome).toBe('granted');
  });

  it('a valid ID token names the subject', async () => {
    await using issuer = await createTestIssuer();
    const { outcome } = await refreshUnder(issuer, {
      fault: 'patch',
      patch: (response) => ({ ...response, id_token: idToken(good(issuer)) }),
    });
    expect(outcome).toMatchObject({ outcome: 'granted', tokens: { subject: 'ada' } });
    expect(outcome).not.toHaveProperty('salvaged');
  });

  it('tokens under a status of 201', async () => {
    await using server = await startScriptedServer(
      answer(201, { access_token: 'a', refresh_token: 'r', token_type: 'Bearer' }),
    );
    const metadata = { issuer: server.url, token_endpoint: `${server.url}/token` };
    const outcome = await agentOf(server, { metadata }).refresh(refreshOf('any'));
    expect(outcome).toMatchObject({
      outcome: 'granted',
      salvaged: 'OAUTH_RESPONSE_IS_NOT_CONFORM',
    });
    expect(revealed(outcome)).toEqual({ accessToken: 'a', refreshToken: 'r' });
  });
});

describe('no token shows', () => {
  it.each<[string, TokenFault | undefined]>([
    ['a grant', undefined],
    [
      'broken JSON',
      { fault: 'body', body: '{"access_token":"canary-access","refresh_token":"can' },
    ],
    [
      'a salvaged pair',
      {
        fault: 'patch',
        patch: (tokens) => ({ ...tokens, token_type: 'mac', access_token: 'canary-access' }),
      },
    ],
    ['a useless response', { fault: 'body', body: '{"refresh_token":"canary-refresh"}' }],
    [
      'an echo',
      { fault: 'status', status: 400, body: { error: 'canary-access', error_description: 'x' } },
    ],
  ])('in the outcome or its cause of %s', async (_what, fault) => {
    await using issuer = await createTestIssuer();
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    using _ = issuer.fault(() => fault);
    const bodies: string[] = [];
    const outcome = await agentOf(issuer).refresh(
      refreshOf(tokenResponse.refresh_token, {
        onResponse: async (body) => {
          bodies.push(body);
        },
      }),
    );
    const issued = bodies.flatMap((body) => [...body.matchAll(/_token":"([^"]+)/g)]);
    const secrets = [
      tokenResponse.refresh_token,
      'agent-secret',
      'canary-',
      ...issued.map(([, token]) => token ?? ''),
    ];
    const shown = [
      JSON.stringify(outcome),
      inspect(outcome, { depth: 20, showHidden: true }),
      'cause' in outcome && outcome.cause instanceof Error ? outcome.cause.stack : '',
    ].join('\n');
    for (const secret of secrets) expect(shown).not.toContain(secret);
  });
});

import { createFakeClock, createTestIssuer } from '@outlive/testing';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../src/errors.ts';
import type { Issuer } from '../src/issuer.ts';
import type { OpenidIssuerOptions } from '../src/openid-issuer.ts';
import { Secret } from '../src/secret.ts';
import { agentOf, refreshOf, refreshUnder, revealed } from './agent-of.ts';
import { answer, startScriptedServer, unusedUrl } from './scripted-server.ts';

type Options = Partial<OpenidIssuerOptions>;

describe('a refresh', () => {
  it('rotates the pair and says how long the access token lives', async () => {
    await using issuer = await createTestIssuer({ accessTokenLifetimeMs: 300_000 });
    const { outcome, presented, generations } = await refreshUnder(issuer, undefined);
    expect(outcome).toMatchObject({
      outcome: 'granted',
      tokens: { tokenType: 'bearer', expiresInMs: 300_000, scopes: ['read', 'write', 'admin'] },
    });
    expect(outcome).not.toHaveProperty('salvaged');
    expect(await issuer.accessToken(revealed(outcome).accessToken)).toBeDefined();
    expect(presented).toEqual([1, 0]);
    expect(generations).toBe(1);
  });

  it('narrows scopes and names the resource', async () => {
    await using issuer = await createTestIssuer();
    const { outcome } = await refreshUnder(issuer, undefined, {
      scopes: ['read'],
      resource: `${issuer.url}/api`,
    });
    expect(outcome).toMatchObject({ outcome: 'granted', tokens: { scopes: ['read'] } });
  });

  it('hands the raw body over, and waits, before anything validates it', async () => {
    await using issuer = await createTestIssuer();
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    using _ = issuer.fault(() => ({ fault: 'body', body: '<h1>not tokens</h1>' }));
    const journaled = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<string>();
    let settled = false;
    const outcome = agentOf(issuer)
      .refresh(
        refreshOf(tokenResponse.refresh_token, {
          onResponse: (body) => {
            seen.resolve(body);
            return journaled.promise;
          },
        }),
      )
      .finally(() => {
        settled = true;
      });
    expect(await seen.promise).toBe('<h1>not tokens</h1>');
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    journaled.resolve();
    expect(await outcome).toMatchObject({ outcome: 'unknown', kind: 'protocol' });
  });

  it('keeps the pair when the journal fails', async () => {
    await using issuer = await createTestIssuer();
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    const onResponse = async (): Promise<void> => {
      throw new Error('disk full');
    };
    const outcome = await agentOf(issuer).refresh(
      refreshOf(tokenResponse.refresh_token, { onResponse }),
    );
    expect(outcome.outcome).toBe('granted');
  });

  it('sends nothing when beforeSend throws, and beforeSend runs after discovery', async () => {
    await using issuer = await createTestIssuer();
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    const requested: string[] = [];
    const reason = new Error('the claim is too old');
    const agent = agentOf(issuer, {
      fetch: (input, init) => {
        requested.push(new URL(String(input)).pathname);
        return fetch(input, init);
      },
    });
    const outcome = await agent.refresh(
      refreshOf(tokenResponse.refresh_token, {
        beforeSend: () => {
          expect(requested).toEqual(['/.well-known/openid-configuration']);
          throw reason;
        },
      }),
    );
    expect(outcome).toEqual({
      outcome: 'notSent',
      kind: 'transient',
      error: 'abandoned',
      cause: reason,
    });
    expect(issuer.counters.tokenRequests).toBe(0);
    expect(issuer.presentations(grantId)).toEqual([{ ordinal: 0, times: 0 }]);
  });

  it('has a time-out of its own that follows the clock it was given', async () => {
    await using issuer = await createTestIssuer();
    const { tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    const clock = createFakeClock();
    const arrived = Promise.withResolvers<void>();
    const held = Promise.withResolvers<undefined>();
    using _ = issuer.fault(() => {
      arrived.resolve();
      return held.promise;
    });
    const outcome = agentOf(issuer, { clock, requestTimeoutMs: 2000 }).refresh(
      refreshOf(tokenResponse.refresh_token),
    );
    await arrived.promise;
    await clock.advance(2000);
    expect(await outcome).toMatchObject({
      outcome: 'unknown',
      kind: 'transient',
      error: 'OAUTH_TIMEOUT',
    });
    held.resolve(undefined);
    expect(issuer.counters.tokenRequests).toBe(1);
    expect(clock.pending).toBe(0);
  });
});

describe('discovery', () => {
  it('waits for the first use, is shared by concurrent callers, and kept', async () => {
    await using issuer = await createTestIssuer();
    let discoveries = 0;
    const agent = agentOf(issuer, {
      fetch: (input, init) => {
        if (String(input).includes('/.well-known/')) discoveries += 1;
        return fetch(input, init);
      },
    });
    expect(discoveries).toBe(0);
    await Promise.all([agent.clientCredentials({}), agent.clientCredentials({})]);
    await agent.clientCredentials({});
    expect(discoveries).toBe(1);
    expect(issuer.counters.tokenRequests).toBe(3);
  });

  it('that failed is tried again by the next caller', async () => {
    await using issuer = await createTestIssuer();
    let down = true;
    const agent = agentOf(issuer, {
      fetch: (input, init) =>
        down ? Promise.resolve(new Response('', { status: 503 })) : fetch(input, init),
    });
    expect(await agent.clientCredentials({})).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
      error: 'http_503',
    });
    down = false;
    expect(await agent.clientCredentials({})).toMatchObject({ outcome: 'granted' });
  });

  it.each([
    [429, { 'retry-after': '9' }, { kind: 'rate_limited', retryAfterMs: 9000 }],
    [404, {}, { kind: 'misconfigured', error: 'http_404' }],
    [403, {}, { kind: 'misconfigured', error: 'http_403' }],
  ])('answered %i sends no token', async (status, headers, expected) => {
    await using server = await startScriptedServer(answer(status, {}, headers));
    const outcome = await agentOf(server).refresh(refreshOf('any'));
    expect(outcome).toMatchObject({ outcome: 'notSent', ...expected });
    expect(server.requests.filter((form) => form.has('refresh_token'))).toEqual([]);
  });

  it('of another issuer is misconfigured', async () => {
    const metadata = { issuer: 'https://evil.example', token_endpoint: 'https://evil.example/t' };
    await using server = await startScriptedServer(answer(200, metadata));
    expect(await agentOf(server).refresh(refreshOf('any'))).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'issuer_mismatch',
    });
    expect(server.requests).toHaveLength(1);
  });

  it('without an answer is transient', async () => {
    const url = await unusedUrl();
    expect(await agentOf({ url }).refresh(refreshOf('any'))).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
      error: 'ECONNREFUSED',
    });
  });

  it('finds an issuer that only has OAuth metadata (RFC 8414)', async () => {
    await using server = await startScriptedServer((response, form, request) => {
      const url = `http://${request.headers.host}`;
      if (request.url === '/.well-known/oauth-authorization-server')
        return answer(200, { issuer: url, token_endpoint: `${url}/token` })(
          response,
          form,
          request,
        );
      if (request.url === '/token')
        return answer(200, { access_token: 'a', token_type: 'Bearer' })(response, form, request);
      return answer(404, { error: 'not_found' })(response, form, request);
    });
    expect(await agentOf(server).clientCredentials({})).toMatchObject({ outcome: 'granted' });
  });
});

describe('an unused refresh token can be told from a used one', () => {
  it('by introspection, without consuming it', async () => {
    await using issuer = await createTestIssuer();
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    const token = new Secret(tokenResponse.refresh_token);
    const agent = agentOf(issuer);
    expect(await agent.probe(token)).toBe('active');
    await agent.refresh(refreshOf(tokenResponse.refresh_token));
    expect(await agent.probe(token)).toBe('inactive');
    expect(issuer.grant(grantId).alive).toBe(true);
  });

  it('not where there is no introspection, or no answer', async () => {
    await using issuer = await createTestIssuer({ introspection: false });
    expect(await agentOf(issuer).probe(new Secret('any'))).toBe('unknown');
    expect(await agentOf({ url: await unusedUrl() }).probe(new Secret('any'))).toBe('unknown');
  });
});

describe('revocation', () => {
  it('ends a token, and succeeds for one that is not known', async () => {
    await using issuer = await createTestIssuer();
    const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
    const agent = agentOf(issuer);
    const token = new Secret(tokenResponse.refresh_token);
    expect(await agent.revoke(token, 'refresh_token')).toBe('revoked');
    expect(issuer.grant(grantId).alive).toBe(false);
    expect(await agent.revoke(new Secret('unheard-of'), 'access_token')).toBe('revoked');
  });

  it.each([
    ['revoked', 400, { error: 'invalid_token' }],
    ['unsupported', 400, { error: 'unsupported_token_type' }],
    ['failed', 503, {}],
    ['failed', 401, { error: 'invalid_client' }],
  ])('is %s after %i %j', async (expected, status, body) => {
    await using server = await startScriptedServer(answer(status, body));
    const metadata = { issuer: server.url, revocation_endpoint: `${server.url}/revoke` };
    const agent = agentOf(server, { metadata });
    expect(await agent.revoke(new Secret('any'), 'access_token')).toBe(expected);
    expect(server.requests).toHaveLength(1);
  });

  it('fails where there is no endpoint', async () => {
    const agent = agentOf(
      { url: 'https://as.example' },
      { metadata: { issuer: 'https://as.example' } },
    );
    expect(await agent.revoke(new Secret('any'), 'access_token')).toBe('failed');
  });
});

describe('client credentials', () => {
  it('get an access token without a refresh token', async () => {
    await using issuer = await createTestIssuer();
    const outcome = await agentOf(issuer).clientCredentials({ scopes: ['read'] });
    expect(outcome).toMatchObject({ outcome: 'granted', tokens: { scopes: ['read'] } });
    expect(revealed(outcome).refreshToken).toBeUndefined();
  });
});

describe('options that are wrong are refused at once, by name', () => {
  it.each<[string, Options]>([
    ['issuer', { issuer: 'as.example' }],
    ['issuer', { issuer: 'http://as.example' }],
    ['issuer', { issuer: 'https://user:password@as.example' }],
    ['issuer', { issuer: 'https://as.example/?tenant=1' }],
    ['issuer', { issuer: 'https://as.example/.well-known/openid-configuration' }],
    ['clientId', { clientId: '' }],
    ['clientSecret', { clientSecret: new Secret('') }],
    ['clientAuthentication', { clientAuthentication: 'none' }],
    ['requestTimeoutMs', { requestTimeoutMs: 0 }],
    ['requestTimeoutMs', { requestTimeoutMs: Number.NaN }],
    ['metadata.issuer', { metadata: { issuer: 'https://other.example' } }],
  ])('%s: %j', (path, options) => {
    const create = (): Issuer => agentOf({ url: 'https://as.example' }, options);
    expect(create).toThrow(ConfigurationError);
    expect(create).toThrow(expect.objectContaining({ paths: [path] }));
    expect(create).not.toThrow(/password@/);
  });

  it('but plain HTTP to this machine is not wrong', () => {
    for (const url of ['http://localhost:1', 'http://127.0.0.1:1', 'http://[::1]:1'])
      expect(() => agentOf({ url })).not.toThrow();
  });
});

import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import * as oidc from 'openid-client';
import { describe, expect, it } from 'vitest';
import type { TokenOutcome } from '../src/issuer.ts';
import { classifyTokenError } from '../src/token-endpoint-error.ts';
import { answer, type Script, startScriptedServer, unusedUrl } from './scripted-server.ts';

const refreshToken = 'canary-refresh-token-7f3a';

/** What openid-client throws for a refresh at this token endpoint. */
async function errorFrom(
  tokenEndpoint: string | undefined,
  authentication: oidc.ClientAuth = oidc.ClientSecretBasic('secret'),
): Promise<unknown> {
  const metadata = {
    issuer: 'http://127.0.0.1',
    ...(tokenEndpoint === undefined ? {} : { token_endpoint: tokenEndpoint }),
  };
  const configuration = new oidc.Configuration(metadata, 'agent', undefined, authentication);
  oidc.allowInsecureRequests(configuration);
  configuration.timeout = 1;
  return oidc.refreshTokenGrant(configuration, refreshToken).then(
    () => expect.unreachable('the request must fail'),
    (error: unknown) => error,
  );
}

async function outcomeOf(script: Script, authentication?: oidc.ClientAuth): Promise<TokenOutcome> {
  await using server = await startScriptedServer(script);
  const error = await errorFrom(server.url, authentication);
  expect(server.requests).toHaveLength(1);
  return classifyTokenError(error, true, { now: Date.UTC(2026, 0, 1) });
}

describe('what the issuer refused before it looked at the token is not sent', () => {
  it('a 401 invalid_client in the challenge that answers Basic authentication', async () => {
    const challenge = { 'www-authenticate': 'Basic realm="as", error="invalid_client"' };
    expect(await outcomeOf(answer(401, { error: 'invalid_client' }, challenge))).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'invalid_client',
    });
  });

  it('a 401 whose challenge names no error', async () => {
    const script = answer(401, '', { 'www-authenticate': 'Basic realm="as"' });
    expect(await outcomeOf(script)).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'invalid_client',
    });
  });

  it('a 401 invalid_client in the body that answers client_secret_post', async () => {
    const script = answer(401, { error: 'invalid_client' });
    expect(await outcomeOf(script, oidc.ClientSecretPost('secret'))).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'invalid_client',
    });
  });

  it.each(['unauthorized_client', 'unsupported_grant_type'])('%s', async (error) => {
    expect(await outcomeOf(answer(400, { error }))).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error,
    });
  });

  it.each([
    ['with an OAuth body', { error: 'slow_down' }, 'slow_down'],
    ['with a JSON body that says nothing', {}, 'http_429'],
    ['with HTML', '<h1>Too many requests</h1>', 'http_429'],
    ['with an invalid_grant body', { error: 'invalid_grant' }, 'invalid_grant'],
  ])('429 %s', async (_what, body, error) => {
    expect(await outcomeOf(answer(429, body, { 'retry-after': '7' }))).toMatchObject({
      outcome: 'notSent',
      kind: 'rate_limited',
      error,
      retryAfterMs: 7000,
    });
  });
});

describe('Retry-After', () => {
  it('as a date counts from the Date of the same response', async () => {
    const headers = {
      date: 'Tue, 24 Nov 2026 10:00:00 GMT',
      'retry-after': 'Tue, 24 Nov 2026 10:02:00 GMT',
    };
    expect(await outcomeOf(answer(429, {}, headers))).toMatchObject({ retryAfterMs: 120_000 });
  });

  it('as a date counts from now when the response has no Date', async () => {
    const script: Script = (response, form, request) => {
      response.sendDate = false;
      answer(429, {}, { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' })(response, form, request);
    };
    expect(await outcomeOf(script)).toMatchObject({ retryAfterMs: 30_000 });
  });

  it('in the past is no wait', async () => {
    const headers = {
      date: 'Tue, 24 Nov 2026 10:00:00 GMT',
      'retry-after': 'Tue, 24 Nov 2026 09:00:00 GMT',
    };
    expect(await outcomeOf(answer(429, {}, headers))).toMatchObject({ retryAfterMs: 0 });
  });

  it.each(['soon', '-5', '1.5', ''])('that reads "%s" is ignored', async (value) => {
    const outcome = await outcomeOf(answer(429, {}, { 'retry-after': value }));
    expect(outcome).not.toHaveProperty('retryAfterMs');
  });
});

describe('what never became a connection is not sent', () => {
  it('connection refused', async () => {
    expect(classifyTokenError(await errorFrom(await unusedUrl()), true)).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
      error: 'ECONNREFUSED',
    });
  });

  it('a TLS handshake with a server that speaks plain HTTP', async () => {
    await using server = await startScriptedServer(answer(200, {}));
    const error = await errorFrom(server.url.replace('http:', 'https:'));
    expect(classifyTokenError(error, true)).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
    });
    expect(server.requests).toHaveLength(0);
  });

  it('a TLS handshake that the server refuses', async () => {
    // Without a certificate there is no cipher that both sides could use.
    const server = createTlsServer({}).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const error = await errorFrom(`https://127.0.0.1:${port}`);
    server.close();
    expect(classifyTokenError(error, true)).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
    });
  });

  it.each([
    { code: 'ENOTFOUND', syscall: 'getaddrinfo' },
    { code: 'EAI_AGAIN', syscall: 'getaddrinfo' },
    { code: 'UND_ERR_CONNECT_TIMEOUT' },
    { code: 'ETIMEDOUT', syscall: 'connect' },
    { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    { code: 'CERT_HAS_EXPIRED' },
    { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
  ])('$code from the network', (fields) => {
    expect(classifyTokenError(networkError(fields), true)).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
      error: fields.code,
    });
  });

  it('only if every address that was tried refused', () => {
    const refused = networkError({ code: 'ECONNREFUSED', syscall: 'connect' });
    const reset = networkError({ code: 'ECONNRESET', syscall: 'read' });
    const failed = (...errors: Error[]): Error =>
      new TypeError('fetch failed', { cause: new AggregateError(errors) });
    expect(classifyTokenError(failed(refused, refused), true).outcome).toBe('notSent');
    expect(classifyTokenError(failed(refused, reset), true).outcome).toBe('unknown');
  });

  it.each([
    { code: 'ETIMEDOUT', syscall: 'read' },
    { code: 'EHOSTUNREACH', syscall: 'write' },
    { code: 'ECONNRESET' },
    { code: 'EPIPE' },
    { code: 'UND_ERR_SOCKET' },
    { code: 'UND_ERR_HEADERS_TIMEOUT' },
    { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' },
  ])('but $code of an established connection is unknown', (fields) => {
    expect(classifyTokenError(networkError(fields), true)).toMatchObject({
      outcome: 'unknown',
      kind: 'transient',
      error: fields.code,
    });
  });
});

describe('what makes the pair unusable is rejected', () => {
  it('invalid_grant', async () => {
    expect(await outcomeOf(answer(400, { error: 'invalid_grant' }))).toMatchObject({
      outcome: 'rejected',
      kind: 'reauthorization_required',
      error: 'invalid_grant',
    });
  });

  it.each([
    'interaction_required',
    'login_required',
    'consent_required',
    'insufficient_user_authentication',
  ])('%s, which a stronger sign-in mends', async (error) => {
    expect(await outcomeOf(answer(400, { error }))).toMatchObject({
      outcome: 'rejected',
      kind: 'step_up_required',
      error,
    });
  });

  it('invalid_grant in the body of a 401 whose challenge says nothing', async () => {
    const body = { error: 'invalid_grant' };
    await using server = await startScriptedServer(
      answer(401, body, { 'www-authenticate': 'Basic realm="as"' }),
    );
    const error = await errorFrom(server.url);
    expect(classifyTokenError(error, true, { body: JSON.stringify(body) })).toMatchObject({
      outcome: 'rejected',
      error: 'invalid_grant',
    });
  });
});

describe('what the issuer may have done nobody can tell is unknown', () => {
  it.each(['invalid_target', 'invalid_scope', 'invalid_request'])('%s', async (error) => {
    expect(await outcomeOf(answer(400, { error }))).toMatchObject({
      outcome: 'unknown',
      kind: 'bad_request',
      error,
    });
  });

  it.each([
    [500, { error: 'server_error' }],
    [500, { error: 'invalid_grant' }],
    [502, '<h1>Bad gateway</h1>'],
    [503, { error: 'temporarily_unavailable' }],
    [504, ''],
  ])('%i with the body %j', async (status, body) => {
    expect(await outcomeOf(answer(status, body, { 'retry-after': '3' }))).toMatchObject({
      outcome: 'unknown',
      kind: 'transient',
      error: `http_${status}`,
      retryAfterMs: 3000,
    });
  });

  it('a 503 that carries a challenge', async () => {
    const script = answer(503, {}, { 'www-authenticate': 'Basic error="invalid_client"' });
    expect(await outcomeOf(script)).toMatchObject({ outcome: 'unknown', kind: 'transient' });
  });

  it('a 400 temporarily_unavailable', async () => {
    expect(await outcomeOf(answer(400, { error: 'temporarily_unavailable' }))).toMatchObject({
      outcome: 'unknown',
      kind: 'transient',
    });
  });

  it.each([
    [400, { error: 'vendor_specific' }, 'vendor_specific'],
    [403, '<h1>Blocked</h1>', 'http_403'],
    [404, {}, 'http_404'],
    [302, '', 'http_302'],
    [401, '<h1>Sign in</h1>', 'http_401'],
  ])('%i with the body %j', async (status, body, error) => {
    expect(await outcomeOf(answer(status, body))).toMatchObject({
      outcome: 'unknown',
      kind: 'protocol',
      error,
    });
  });

  it('a time-out', async () => {
    expect(await outcomeOf(() => undefined)).toMatchObject({
      outcome: 'unknown',
      kind: 'transient',
      error: 'OAUTH_TIMEOUT',
    });
  });

  it('a connection that drops before, or within, the response', async () => {
    expect(await outcomeOf((response) => response.destroy())).toMatchObject({
      outcome: 'unknown',
      kind: 'transient',
      error: 'UND_ERR_SOCKET',
    });
    const within: Script = (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
      response.write('{"access_token":"', () => response.destroy());
    };
    expect((await outcomeOf(within)).outcome).toBe('unknown');
  });

  it('an error of no known kind after a response', () => {
    expect(classifyTokenError(new TypeError('x'), true, { body: 'read' })).toMatchObject({
      outcome: 'unknown',
      kind: 'protocol',
    });
  });

  it.each(['nonsense', 17, null, undefined, new Error('x')])('a thrown %s', (thrown) => {
    expect(classifyTokenError(thrown, true)).toMatchObject({ outcome: 'unknown' });
  });
});

describe('a request that never left', () => {
  it('is not sent, whatever was thrown', () => {
    expect(classifyTokenError(networkError({ code: 'UND_ERR_SOCKET' }), false)).toMatchObject({
      outcome: 'notSent',
      kind: 'transient',
    });
    expect(classifyTokenError(undefined, false)).toMatchObject({ outcome: 'notSent' });
  });

  it('for want of a token endpoint, of TLS, or of a refresh token is misconfigured', async () => {
    expect(classifyTokenError(await errorFrom(undefined), false)).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'OAUTH_MISSING_SERVER_METADATA',
    });
    const metadata = { issuer: 'https://as.example', token_endpoint: 'http://as.example/token' };
    const strict = new oidc.Configuration(metadata, 'agent', undefined, oidc.None());
    const insecure = await oidc.refreshTokenGrant(strict, refreshToken).catch((error) => error);
    expect(classifyTokenError(insecure, false)).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'OAUTH_HTTP_REQUEST_FORBIDDEN',
    });
    const empty = await oidc.refreshTokenGrant(strict, '').catch((error) => error);
    expect(classifyTokenError(empty, false)).toMatchObject({
      outcome: 'notSent',
      kind: 'misconfigured',
      error: 'ERR_INVALID_ARG_VALUE',
    });
  });
});

describe('an outcome', () => {
  it('repeats nothing that the issuer echoed', async () => {
    const echo = { error: refreshToken, error_description: `no such token: ${refreshToken}` };
    const scripts = [
      answer(400, echo),
      answer(400, { ...echo, error: 'invalid_grant' }),
      answer(400, { error: `Token ${refreshToken} is unknown` }),
      answer(500, echo),
      answer(200, `oops ${refreshToken}`),
      answer(200, { ...echo, access_token: 5, refresh_token: refreshToken }),
      answer(401, echo, { 'www-authenticate': `Basic error="${refreshToken}"` }),
    ];
    for (const script of scripts) {
      const outcome = await outcomeOf(script);
      const cause =
        'cause' in outcome && outcome.cause instanceof Error ? outcome.cause : undefined;
      const shown = [
        JSON.stringify(outcome),
        inspect(outcome, { depth: 20, showHidden: true }),
        cause?.stack,
      ];
      expect(shown.join('\n')).not.toContain(refreshToken);
    }
  });
});

function networkError(fields: { code: string; syscall?: string }): Error {
  return new TypeError('fetch failed', { cause: Object.assign(new Error('network'), fields) });
}

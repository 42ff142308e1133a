import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '../src/index.ts';

let issuer: TestIssuer;
let api: ProtectedApi;
beforeEach(async () => {
  issuer = await createTestIssuer();
  api = await createProtectedApi({
    issuer,
    audience: `${issuer.url}/api`,
    routes: {
      'GET /tickets/:id': {
        scopes: ['read'],
        handle: (_request, { params: { id }, subject }) => Response.json({ id, subject }),
      },
      'POST /tickets': {
        scopes: ['read', 'write'],
        handle: async (request) => new Response(`got ${await request.text()}`, { status: 201 }),
      },
      'GET /broken': {
        scopes: [],
        handle: () => {
          throw new Error('the handler is broken');
        },
      },
    },
  });
});
afterEach(async () => {
  await api.close();
  await issuer.close();
});

async function tokenOf(subject: string, scopes?: readonly string[]): Promise<string> {
  const seeded = await issuer.seedGrant({ subject, ...(scopes && { scopes }) });
  return seeded.tokenResponse.access_token;
}

function call(path: string, token?: string, init: RequestInit = {}): Promise<Response> {
  const headers = { ...(token && { authorization: `Bearer ${token}` }), ...init.headers };
  return fetch(`${api.url}${path}`, { ...init, headers });
}

/** Status and challenge of a refusal. */
async function refusal(response: Promise<Response>): Promise<[number, string | null]> {
  const { status, headers } = await response;
  return [status, headers.get('www-authenticate')];
}

describe('a protected API', () => {
  it('serves a good token and records the request without it', async () => {
    const token = await tokenOf('ana');
    expect(await (await call('/tickets/4%202?full=1', token)).json()).toEqual({
      id: '4 2',
      subject: 'ana',
    });
    const posted = await call('/tickets', token, {
      method: 'POST',
      body: 'a ticket',
      headers: { 'idempotency-key': 'k-1' },
    });
    expect([posted.status, await posted.text()]).toEqual([201, 'got a ticket']);

    const scopes = ['read', 'write', 'admin'];
    const shared = { subject: 'ana', scopes, at: expect.any(Number) };
    expect(api.accepted).toEqual([
      { method: 'GET', path: '/tickets/4%202', idempotencyKey: undefined, ...shared },
      { method: 'POST', path: '/tickets', idempotencyKey: 'k-1', ...shared },
    ]);
    expect(JSON.stringify(api.accepted)).not.toContain(token);
    expect([...api.tokensSeen]).toEqual([createHash('sha256').update(token).digest('hex')]);
    expect(api.tokens()).toEqual([token]);
  });

  it('challenges a request without a token and names no error (RFC 6750 section 3.1)', async () => {
    expect(await refusal(call('/tickets/1'))).toEqual([401, 'Bearer realm="api"']);
    const basic = { headers: { authorization: 'Basic YTpi' } };
    expect(await refusal(call('/tickets/1', undefined, basic))).toEqual([
      401,
      'Bearer realm="api"',
    ]);
  });

  it('refuses an unknown, a revoked and a disabled token as invalid_token', async () => {
    const [revoked, disabled] = [await tokenOf('ana'), await tokenOf('ben')];
    await fetch(`${issuer.url}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
      body: new URLSearchParams({ token: revoked }),
    });
    issuer.user('ben').active = false;
    for (const token of ['unknown', 'a.b.c', revoked, disabled]) {
      expect(await refusal(call('/tickets/1', token))).toEqual([
        401,
        expect.stringMatching(/^Bearer realm="api", error="invalid_token"/),
      ]);
    }
    expect(api.accepted).toEqual([]);
    expect(api.tokensSeen.size).toBe(4);
  });

  it('refuses an expired token', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const token = await tokenOf('ana');
    expect((await call('/tickets/1', token)).status).toBe(200);
    vi.setSystemTime(Date.now() + 5000);
    expect((await call('/tickets/1', token)).status).toBe(401);
    vi.useRealTimers();
  });

  it('checks JWT access tokens by their signature', async () => {
    issuer.options.accessTokenFormat = 'jwt';
    const token = await tokenOf('ana', ['read']);
    await using other = await createTestIssuer({
      accessTokenFormat: 'jwt',
      resources: { [`${issuer.url}/api`]: { scopes: ['read'] } },
    });
    const forged = await other.seedGrant({ subject: 'ana' });

    expect((await call('/tickets/1', token)).status).toBe(200);
    expect((await call('/tickets', token, { method: 'POST' })).status).toBe(403);
    expect((await call('/tickets/1', forged.tokenResponse.access_token)).status).toBe(401);
  });

  it('refuses a token that is for another resource', async () => {
    const mail = 'https://mail.example';
    issuer.options.resources = { ...issuer.options.resources, [mail]: { scopes: ['read'] } };
    const seeded = await issuer.seedGrant({ subject: 'ana', resources: [mail] });
    expect((await call('/tickets/1', seeded.tokenResponse.access_token)).status).toBe(401);
  });

  it('names all the scopes that are needed when some are missing', async () => {
    const token = await tokenOf('ana', ['read']);
    expect(await refusal(call('/tickets', token, { method: 'POST' }))).toEqual([
      403,
      'Bearer realm="api", error="insufficient_scope", scope="read write"',
    ]);
  });

  it('asks for a step up while told to (RFC 9470)', async () => {
    const token = await tokenOf('ana');
    api.requireStepUp = { acrValues: ['urn:mfa', 'urn:hw'], maxAge: 300 };
    const [status, challenge] = await refusal(call('/tickets/1', token));
    expect(status).toBe(401);
    expect(challenge).toContain('error="insufficient_user_authentication"');
    expect(challenge).toMatch(/acr_values="urn:mfa urn:hw", max_age="300"$/);
    api.requireStepUp = undefined;
    expect((await call('/tickets/1', token)).status).toBe(200);
  });

  it('rejects as many good tokens as it is told to', async () => {
    const token = await tokenOf('ana');
    api.rejectNext(2);
    const statuses = [];
    for (let index = 0; index < 3; index += 1) {
      statuses.push((await call('/tickets/1', token)).status);
    }
    expect(statuses).toEqual([401, 401, 200]);
  });

  it('knows only its routes', async () => {
    const token = await tokenOf('ana');
    for (const path of ['/', '/tickets', '/tickets/', '/tickets/1/2']) {
      expect((await call(path, token)).status).toBe(404);
    }
    const wrong = { issuer, routes: { '/tickets': { scopes: [], handle: () => new Response() } } };
    await expect(createProtectedApi(wrong)).rejects.toThrow("not '/tickets'");
  });

  it('answers 500 and shows the error when a handler throws', async () => {
    const shown = vi.spyOn(console, 'error').mockReturnValue();
    expect((await call('/broken', await tokenOf('ana'))).status).toBe(500);
    expect(shown).toHaveBeenCalledWith(
      'protected API: GET /broken failed',
      expect.objectContaining({ message: 'the handler is broken' }),
    );
  });
});

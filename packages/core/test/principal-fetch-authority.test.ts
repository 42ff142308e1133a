import { describe, expect, it } from 'vitest';
import { AuthError } from '../src/errors.ts';
import { rejection, useTwoServers } from './principal-fetch-setup.ts';
import { challenged, invalidToken } from './recording-server.ts';
import { bearerToken, createScriptedAuthority, tokenOf } from './scripted-authority.ts';

const servers = useTwoServers();

/** Which tokens the API saw, in order. */
function tokensSeen(): (string | undefined)[] {
  return servers.api.requests.map(({ headers }) => headers.authorization);
}

const firstThenSecond = [`Bearer ${tokenOf(1)}`, `Bearer ${tokenOf(2)}`];

describe('a 401 gets one newer token and one more try', () => {
  it.each([
    ['with error invalid_token', invalidToken],
    ['without an error', challenged(401, 'Bearer realm="api"')],
    ['without a challenge', challenged(401)],
    ['with a challenge of another scheme', challenged(401, 'Basic realm="api"')],
    ['with a challenge that no parser takes', challenged(401, '="invalid_token')],
    ['with an error nobody knows', challenged(401, 'Bearer error="nonsense"')],
    ['with several challenges', challenged(401, 'Basic realm="a", Bearer error="invalid_token"')],
  ])('%s', async (_what, answer) => {
    servers.api.script(answer);
    const response = await servers.fetchTo('')('x');
    expect(response.status).toBe(200);
    expect(tokensSeen()).toEqual(firstThenSecond);
    expect(servers.authority.log).toEqual([
      'acquire',
      'beforeSend',
      'renew 1',
      'afterSend answered',
    ]);
  });

  it('and the second 401 is final', async () => {
    servers.api.script(invalidToken, invalidToken);
    const error = await rejection(servers.fetchTo('')('x'));
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject({ code: 'rejected_after_refresh', ref: 'p1' });
    expect(tokensSeen()).toEqual(firstThenSecond);
    expect(servers.authority.log).toEqual([
      'acquire',
      'beforeSend',
      'renew 1',
      'afterSend refused',
      'refuse rejected_after_refresh',
    ]);
  });

  it('per call, not per redirect', async () => {
    const moved = { status: 307, headers: { location: '/y' } };
    servers.api.script(invalidToken, moved, invalidToken);
    const error = await rejection(servers.fetchTo('')('x'));
    expect(error).toMatchObject({ code: 'rejected_after_refresh' });
    expect(servers.api.requests.map(({ url }) => url)).toEqual(['/x', '/x', '/y']);
  });

  it('and the error of a renewal that fails is the call’s error', async () => {
    servers.api.script(invalidToken);
    const refused = new AuthError('reauthorization_required', { ref: 'p9' });
    servers.authority.renew = () => Promise.reject(refused);
    expect(await rejection(servers.fetchTo('')('x'))).toBe(refused);
    expect(servers.authority.log).toEqual(['acquire', 'beforeSend', 'afterSend refused']);
  });
});

describe('the retry sends the same body again:', () => {
  const form = new FormData();
  form.append('name', 'value');
  form.append('file', new File(['content'], 'note.txt', { type: 'text/plain' }));
  const bodies: readonly (readonly [string, NonNullable<RequestInit['body']> | null, string])[] = [
    ['a string', 'text', 'text'],
    ['URLSearchParams', new URLSearchParams({ a: '1 2' }), 'a=1+2'],
    ['an ArrayBuffer', new TextEncoder().encode('buffer').buffer, 'buffer'],
    ['a view of a part of a buffer', new TextEncoder().encode('a view').subarray(2), 'view'],
    ['a DataView', new DataView(new TextEncoder().encode('data').buffer), 'data'],
    ['a Blob', new Blob(['blob'], { type: 'text/x-blob' }), 'blob'],
    ['FormData', form, 'filename="note.txt"'],
    ['none', null, ''],
  ];

  it.each(bodies)('%s', async (_what, body, expected) => {
    servers.api.script(invalidToken);
    await servers.fetchTo('')('x', { method: 'POST', body });
    const [first, second] = servers.api.requests;
    expect(first?.body).toContain(expected);
    expect(second?.body).toContain(expected);
    const withoutBoundary = (type = ''): string => type.replace(/boundary=.*/, '');
    expect(withoutBoundary(second?.headers['content-type'])).toBe(
      withoutBoundary(first?.headers['content-type']),
    );
    // And the same as a bare fetch sends it.
    await globalThis.fetch(servers.api.origin, { method: 'POST', body });
    const bare = servers.api.requests[2];
    expect(bare?.body).toContain(expected);
    expect(withoutBoundary(bare?.headers['content-type'])).toBe(
      withoutBoundary(first?.headers['content-type']),
    );
  });

  it('as it was at the first try, although the caller changed it meanwhile', async () => {
    servers.api.script(invalidToken);
    const params = new URLSearchParams({ amount: '1' });
    servers.authority.renew = async () => {
      params.set('amount', '1000');
      return bearerToken(2);
    };
    await servers.fetchTo('')('x', { method: 'POST', body: params });
    expect(servers.api.requests.map(({ body }) => body)).toEqual(['amount=1', 'amount=1']);
  });

  it('but not what can be read only once: the token is renewed for the next call, and this one refused', async () => {
    const stream = (): ReadableStream => new Blob(['streamed']).stream();
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', duplex: 'half' };
    const inits: readonly Parameters<typeof fetch>[] = [
      ['x', { ...init, body: stream() }],
      [new Request(servers.api.origin, { ...init, body: stream() })],
      [new Request(servers.api.origin, { method: 'POST', body: 'text' }), { headers: {} }],
    ];
    for (const [input, options] of inits) {
      const authority = createScriptedAuthority();
      servers.authority = authority;
      servers.api.script(invalidToken);
      const error = await rejection(servers.fetchTo('')(input, options));
      expect(error).toMatchObject({
        code: 'rejected_after_refresh',
        reason: 'body_not_replayable',
      });
      expect(authority.log).toEqual([
        'acquire',
        'beforeSend',
        'renew 1',
        'afterSend refused',
        'refuse rejected_after_refresh',
      ]);
    }
    expect(servers.api.requests.map(({ body }) => body)).toEqual(['streamed', 'streamed', 'text']);
    expect(servers.api.requests[2]?.headers['content-length']).toBe('4');
  });

  it('a Request whose body init replaces, and one without a body', async () => {
    const request = new Request(servers.api.origin, { method: 'POST', body: 'old' });
    servers.api.script(invalidToken);
    await servers.fetchTo('')(request, { body: 'new' });
    servers.api.script(invalidToken);
    await servers.fetchTo('')(new Request(servers.api.origin, { method: 'DELETE' }));
    expect(servers.api.requests.map(({ method, body }) => `${method} ${body}`)).toEqual([
      'POST new',
      'POST new',
      'DELETE ',
      'DELETE ',
    ]);
  });
});

describe('a resource that wants something else is refused without a refresh:', () => {
  it('a stronger or fresher authentication (RFC 9470)', async () => {
    const challenge =
      'Bearer error="insufficient_user_authentication", acr_values="myACR other", max_age="5"';
    servers.api.script(challenged(401, challenge));
    const error = await rejection(servers.fetchTo('')('x'));
    expect(error).toMatchObject({ code: 'step_up_required' });
    expect(servers.authority.refusals).toEqual([
      { code: 'step_up_required', options: { acrValues: ['myACR', 'other'], maxAgeSeconds: 5 } },
    ]);
    expect(servers.authority.log).not.toContain('renew 1');
  });

  it('more scopes (RFC 6750)', async () => {
    const challenge = 'Bearer error="insufficient_scope", scope="invoices:write  invoices:read"';
    servers.api.script(challenged(403, challenge));
    const error = await rejection(servers.fetchTo('')('x'));
    expect(error).toMatchObject({ code: 'insufficient_scope' });
    expect(servers.authority.refusals).toEqual([
      {
        code: 'insufficient_scope',
        options: { requiredScopes: ['invoices:write', 'invoices:read'] },
      },
    ]);
    expect(servers.authority.log).toEqual([
      'acquire',
      'beforeSend',
      'afterSend refused',
      'refuse insufficient_scope',
    ]);
  });

  it('with what it says left out where it is not what it should be, or echoes the token', async () => {
    servers.api.script(
      challenged(401, 'Bearer error="insufficient_user_authentication", max_age="soon"'),
      challenged(403, `Bearer error="insufficient_scope", scope="a\\"b ok x${tokenOf(1)}"`),
    );
    await rejection(servers.fetchTo('')('x'));
    await rejection(servers.fetchTo('')('x'));
    expect(servers.authority.refusals.map(({ options }) => options)).toEqual([
      {},
      { requiredScopes: ['ok'] },
    ]);
  });
});

describe('responses that are not about authority are the tool’s:', () => {
  it.each([
    ['403 without a challenge', challenged(403)],
    ['403 with another error', challenged(403, 'Bearer error="access_denied"')],
    ['400', challenged(400, 'Bearer error="invalid_request"')],
    ['404', challenged(404)],
    ['429', challenged(429)],
    ['500', challenged(500)],
    ['503', challenged(503)],
  ])('%s', async (_what, answer) => {
    servers.api.script(answer);
    const response = await servers.fetchTo('')('x');
    expect([response.status, await response.text()]).toEqual([answer.status, 'refused']);
    expect(servers.authority.log).toEqual(['acquire', 'beforeSend', 'afterSend answered']);
  });
});

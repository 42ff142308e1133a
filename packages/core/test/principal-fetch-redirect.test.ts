import { describe, expect, it } from 'vitest';
import { createPrincipalFetch } from '../src/principal-fetch.ts';
import { locateResource } from '../src/resource-location.ts';
import { refusalOf, useTwoServers } from './principal-fetch-setup.ts';
import { startRecordingServer } from './recording-server.ts';
import { proofs, tokenOf } from './scripted-authority.ts';

const servers = useTwoServers();

describe('a redirect elsewhere is never followed, with the token or without:', () => {
  type Location = (origins: { api: string; evil: string; port: number }) => string;
  const attacks: readonly (readonly [name: string, location: Location])[] = [
    ['another origin', ({ evil }) => `${evil}/steal`],
    ['a protocol-relative URL', ({ evil }) => evil.replace('http:', '')],
    ['backslashes', ({ evil }) => evil.replace('http://', '\\\\')],
    ['leading and trailing whitespace', ({ evil }) => ` \t ${evil}/ `],
    ['a tab inside', ({ evil }) => evil.replace('http://', '/\t/')],
    ['credentials for the right host', ({ api }) => api.replace('//', '//user@')],
    ['a user name that looks like the host', ({ evil }) => `http://127.0.0.1@${evil.slice(7)}`],
    ['another port', ({ port }) => `http://127.0.0.1:${port ^ 1}/`],
    ['another name of the same host', ({ port }) => `http://localhost:${port}/v1/x`],
    ['data:', () => 'data:text/plain,hello'],
    ['javascript:', () => 'javascript:alert(1)'],
    ['file:', () => 'file:///etc/passwd'],
    ['what no parser takes', () => 'http://[::1'],
    ['a relative path out of the base path', () => '../admin'],
    ['an absolute path out of the base path', () => '/admin'],
    ['an encoded path out of the base path', () => '/v1/..%2fadmin'],
  ];

  it.each(attacks)('%s', async (_name, location) => {
    const to = location({
      api: servers.api.origin,
      evil: servers.evil.origin,
      port: servers.api.port,
    });
    for (const status of [301, 302, 303, 307, 308]) {
      servers.api.script({ status, headers: { location: to }, body: 'moved' });
      expect(await refusalOf(servers.fetchTo('/v1')('start', { method: 'POST', body: 'x' }))).toBe(
        'redirect',
      );
    }
    expect(servers.api.requests.map(({ url }) => url)).toEqual(Array(5).fill('/v1/start'));
    expect(servers.evil.requests).toEqual([]);
  });

  it('a chain from allowed to allowed to elsewhere stops at the last step', async () => {
    const second = await startRecordingServer();
    await using _ = second;
    servers.api.script({ status: 302, headers: { location: `${second.origin}/next` } });
    second.script({ status: 302, headers: { location: `${servers.evil.origin}/steal` } });
    const fetch = servers.fetchTo('', [second.origin]);
    expect(await refusalOf(fetch('start', { headers: { cookie: 'a=1' } }))).toBe('redirect');
    expect(second.requests).toMatchObject([{ url: '/next' }]);
    expect(second.requests[0]?.headers.authorization).toBe(`Bearer ${tokenOf(1)}`);
    expect(second.requests[0]?.headers.cookie).toBeUndefined();
    expect(servers.evil.requests).toEqual([]);
  });

  it('after a retry with a newer token, too', async () => {
    servers.api.script(
      { status: 401 },
      { status: 307, headers: { location: `${servers.evil.origin}/steal` } },
    );
    expect(await refusalOf(servers.fetchTo('')('start'))).toBe('redirect');
    expect(servers.evil.requests).toEqual([]);
  });
});

describe('redirects within the resource are followed like fetch does:', () => {
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'] as const;
  const cases = [301, 302, 303, 307, 308].flatMap((status) =>
    methods.map((method) => [status, method] as const),
  );

  it.each(cases)('%i after %s', async (status, method) => {
    const init: RequestInit = { method, headers: { 'content-language': 'en', 'x-a': '1' } };
    if (method === 'POST' || method === 'PUT') init.body = 'content';
    const answer = { status, headers: { location: 'second?x=1' } };
    servers.api.script(answer);
    const response = await servers.fetchTo('')('a/first', init);
    servers.api.script(answer);
    const reference = await globalThis.fetch(`${servers.api.origin}/a/first`, init);

    const [, ours, , theirs] = servers.api.requests;
    expect(ours?.headers.authorization).toBe(`Bearer ${tokenOf(1)}`);
    const { authorization: _, ...headers } = ours?.headers ?? {};
    expect({ ...ours, headers, rawHeaders: [] }).toEqual({ ...theirs, rawHeaders: [] });
    expect(response.redirected).toBe(reference.redirected);
    expect(response.url).toBe(reference.url);
    expect(response.status).toBe(reference.status);
  });

  it('20 of them, and not the 21st', async () => {
    servers.api.answer(({ url }, response) => {
      const left = Number(url.slice(1));
      response.writeHead(left === 0 ? 200 : 302, { location: `/${left - 1}` }).end();
    });
    expect((await servers.fetchTo('')('20')).status).toBe(200);
    expect(servers.api.requests).toHaveLength(21);
    expect(await refusalOf(servers.fetchTo('')('21'))).toBe('redirect');
    expect(servers.api.requests).toHaveLength(42);
  });

  it('a Location in UTF-8 octets', async () => {
    const location = Buffer.from('/café').toString('latin1');
    servers.api.script({ status: 302, headers: { location } });
    expect((await servers.fetchTo('')('x')).url).toBe(`${servers.api.origin}/caf%C3%A9`);
  });

  it('none without a Location: the response is the answer', async () => {
    servers.api.script({ status: 302, body: 'no location' });
    expect(await (await servers.fetchTo('')('x')).text()).toBe('no location');
  });

  it('none with redirect "manual": the response is the answer, wherever it points', async () => {
    servers.api.script({ status: 302, headers: { location: servers.evil.origin }, body: 'moved' });
    const response = await servers.fetchTo('')('x', { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, servers.evil.origin]);
    expect(servers.evil.requests).toEqual([]);
  });

  it('none with redirect "error", of init or of a Request', async () => {
    servers.api.answer((_, response) => void response.writeHead(302, { location: '/y' }).end());
    expect(await refusalOf(servers.fetchTo('')('x', { redirect: 'error' }))).toBe('redirect');
    const request = new Request(`${servers.api.origin}/x`, { redirect: 'error' });
    expect(await refusalOf(servers.fetchTo('')(request))).toBe('redirect');
    expect(servers.api.requests.map(({ url }) => url)).toEqual(['/x', '/x']);
    expect(servers.authority.log.filter((entry) => entry.startsWith('afterSend'))).toEqual([
      'afterSend answered',
      'afterSend answered',
    ]);
  });

  it('none that a browser hides', async () => {
    const hidden = new Response(null);
    Object.defineProperties(hidden, { type: { value: 'opaqueredirect' }, status: { value: 0 } });
    const resource = locateResource({ name: 'billing', baseUrl: servers.api.origin });
    const fetch = createPrincipalFetch({
      resource,
      proofs,
      authority: servers.authority,
      fetch: async () => hidden,
    });
    expect(await refusalOf(fetch('x'))).toBe('redirect');
    expect(await fetch('x', { redirect: 'manual' })).toBe(hidden);
  });

  it('none with a 307 and a body that can be sent only once', async () => {
    servers.api.answer((_, response) => void response.writeHead(307, { location: '/y' }).end());
    const body = new Blob(['streamed']).stream();
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' };
    expect(await refusalOf(servers.fetchTo('')('x', init))).toBe('redirect');
    expect(servers.api.requests).toMatchObject([{ url: '/x', body: 'streamed' }]);
  });
});

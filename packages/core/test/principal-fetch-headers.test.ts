import { describe, expect, it } from 'vitest';
import {
  changingUrl,
  expectNothingSent,
  lyingRequest,
  refusalOf,
  useTwoServers,
} from './principal-fetch-setup.ts';
import { tokenOf } from './scripted-authority.ts';

const servers = useTwoServers();

describe('a header is refused before anything is acquired or sent:', () => {
  const named = [
    'authorization',
    'AUTHORIZATION',
    'aUtHoRiZaTiOn',
    'Proxy-Authorization',
    'DPoP',
    'Host',
  ];
  const forms: readonly (readonly [form: string, init: (name: string) => RequestInit])[] = [
    ['an object', (name) => ({ headers: { [name]: 'x' } })],
    [
      'an array of pairs',
      (name) => ({
        headers: [
          ['accept', '*/*'],
          [name, 'x'],
        ],
      }),
    ],
    ['a Headers object', (name) => ({ headers: new Headers([[name, 'x']]) })],
    ['a Request as init', (name) => new Request('http://x.example', { headers: { [name]: 'x' } })],
  ];
  const cases = named.flatMap((name) => forms.map(([form, init]) => [name, form, init] as const));

  it.each(cases)('%s in %s', async (name, _form, init) => {
    expect(await refusalOf(servers.fetchTo('')('x', init(name)))).toBe('header');
    expectNothingSent(servers);
  });

  it.each(named)('%s in a Request object', async (name) => {
    const request = new Request(servers.api.origin, { headers: { [name]: 'x' } });
    expect(await refusalOf(servers.fetchTo('')(request))).toBe('header');
    const upload = new Request(servers.api.origin, {
      method: 'POST',
      body: 'x',
      headers: { [name]: 'x' },
    });
    expect(await refusalOf(servers.fetchTo('')(upload))).toBe('header');
    expectNothingSent(servers);
  });

  it('an own property named __proto__ is a header name, not a way to inherit one', async () => {
    const headers = JSON.parse('{"__proto__": "x", "x-a": "1"}') as Record<string, string>;
    const inherited = Object.create({ authorization: 'Bearer stolen' }) as Record<string, string>;
    await servers.fetchTo('')('x', { headers });
    await servers.fetchTo('')('x', { headers: inherited });
    expect(servers.api.requests.map((request) => request.headers.authorization)).toEqual([
      `Bearer ${tokenOf(1)}`,
      `Bearer ${tokenOf(1)}`,
    ]);
  });

  it('a header value that would smuggle in another header', async () => {
    const headers = { 'x-note': 'a\r\nauthorization: Bearer stolen' };
    await expect(servers.fetchTo('')('x', { headers })).rejects.toThrow(TypeError);
    expectNothingSent(servers);
  });

  it('a dispatcher, which would decide where the token goes', async () => {
    const dispatcher = { dispatch: (): never => expect.unreachable('it was used') };
    const init = { dispatcher } as RequestInit & { dispatcher: unknown } as RequestInit;
    expect(await refusalOf(servers.fetchTo('')('x', init))).toBe('origin');
    expectNothingSent(servers);
  });

  it('but headers of a Request that init replaces do not count', async () => {
    const request = new Request(servers.api.origin, { headers: { authorization: 'Bearer own' } });
    await servers.fetchTo('')(request, { headers: { 'x-a': '1' } });
    expect(servers.api.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${tokenOf(1)}`,
      'x-a': '1',
    });
  });
});

describe('what was checked is what is sent:', () => {
  it('a URL object that changes after the first read goes where it said first', async () => {
    await servers.fetchTo('')(
      changingUrl(`${servers.api.origin}/first`, `${servers.evil.origin}/second`),
    );
    expect(servers.api.requests.map(({ url }) => url)).toEqual(['/first']);
    expect(servers.evil.requests).toEqual([]);
  });

  it('a Request that lies about its address goes where it says', async () => {
    await servers.fetchTo('')(
      lyingRequest(`${servers.api.origin}/claimed`, `${servers.evil.origin}/actual`),
    );
    expect(servers.api.requests.map(({ url }) => url)).toEqual(['/claimed']);
    expect(servers.evil.requests).toEqual([]);
  });

  it('each member of a getter-based init is read once', async () => {
    const reads: string[] = [];
    const sequence = (name: string, ...values: readonly unknown[]) => ({
      enumerable: true,
      get() {
        reads.push(name);
        return values[Math.min(reads.filter((read) => read === name).length, values.length) - 1];
      },
    });
    const init = Object.defineProperties(
      {},
      {
        headers: sequence('headers', { 'x-first': '1' }, { authorization: 'Bearer stolen' }),
        method: sequence('method', 'POST', 'DELETE'),
        body: sequence('body', 'first', 'second'),
        redirect: sequence('redirect', 'follow', 'error'),
        signal: sequence('signal', undefined, AbortSignal.abort()),
        dispatcher: sequence('dispatcher', undefined, { dispatch: () => servers.evil.answer }),
      },
    );
    await servers.fetchTo('')('x', init as RequestInit);
    expect(new Set(reads).size).toBe(reads.length);
    expect(servers.api.requests).toMatchObject([
      { method: 'POST', body: 'first', headers: { authorization: `Bearer ${tokenOf(1)}` } },
    ]);
  });

  it('headers and body changed while a token is awaited do not change the request', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    servers.authority.beforeSend = () => promise;
    const headers = new Headers({ 'x-note': 'before' });
    const body = new Uint8Array([97, 98, 99]);
    const response = servers.fetchTo('')('x', { method: 'PUT', headers, body });
    headers.set('authorization', 'Bearer stolen');
    headers.set('x-note', 'after');
    body.fill(0);
    resolve();
    await response;
    expect(servers.api.requests).toMatchObject([
      { body: 'abc', headers: { authorization: `Bearer ${tokenOf(1)}`, 'x-note': 'before' } },
    ]);
  });
});

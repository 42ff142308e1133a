import { describe, expect, it } from 'vitest';
import { createPrincipalFetch } from '../src/principal-fetch.ts';
import { locateResource } from '../src/resource-location.ts';
import {
  changingUrl,
  expectNothingSent,
  lyingRequest,
  refusalOf,
  useTwoServers,
} from './principal-fetch-setup.ts';
import { proofs } from './scripted-authority.ts';

const servers = useTwoServers();

describe('an address is refused before anything is acquired or sent:', () => {
  type Address = (origins: { api: string; evil: string; port: number }) => string | URL | Request;
  const attacks: readonly (readonly [name: string, code: string, address: Address])[] = [
    ['another origin', 'origin', ({ evil }) => `${evil}/steal`],
    ['another origin as a URL object', 'origin', ({ evil }) => new URL(evil)],
    ['another origin in a Request', 'origin', ({ evil }) => new Request(evil)],
    [
      'another origin in a Request with a body',
      'origin',
      ({ evil }) => new Request(evil, { method: 'POST', body: 'x' }),
    ],
    ['a protocol-relative URL', 'origin', ({ evil }) => evil.replace('http:', '')],
    ['backslashes for slashes', 'origin', ({ evil }) => evil.replace('http://', '\\\\')],
    ['a backslash and a slash', 'origin', ({ evil }) => evil.replace('http://', '/\\')],
    ['backslashes after the scheme', 'origin', ({ evil }) => evil.replace('//', '\\\\')],
    ['one slash with another scheme', 'origin', () => 'https:/evil.example/x'],
    ['no slash with another scheme', 'origin', () => 'https:evil.example/x'],
    ['many slashes', 'origin', ({ evil }) => evil.replace('//', '/////')],
    ['a tab inside the slashes', 'origin', ({ evil }) => evil.replace('http://', '/\t/')],
    ['a newline inside the scheme', 'origin', ({ evil }) => evil.replace('http', 'ht\ntp')],
    ['leading control characters', 'origin', ({ evil }) => `\u0000\u001f ${evil}`],
    ['an upper-case scheme', 'origin', ({ evil }) => evil.replace('http', 'HTTP')],
    ['another port of the same host', 'origin', ({ port }) => `http://127.0.0.1:${port ^ 1}/`],
    ['no port where the resource has one', 'origin', () => 'http://127.0.0.1/'],
    ['another name of the same host', 'origin', ({ port }) => `http://localhost:${port}/`],
    ['another scheme for the same host', 'origin', ({ api }) => api.replace('http', 'https')],
    [
      'a user name that looks like the host',
      'url',
      ({ evil }) => `http://127.0.0.1@${evil.slice(7)}`,
    ],
    ['credentials for the right host', 'url', ({ api }) => api.replace('//', '//user:pass@')],
    ['only a password', 'url', ({ api }) => api.replace('//', '//:pass@')],
    ['data:', 'scheme', () => 'data:text/plain,hello'],
    ['file:', 'scheme', () => 'file:///etc/passwd'],
    ['javascript:', 'scheme', () => 'javascript:alert(1)'],
    ['about:', 'scheme', () => 'about:blank'],
    ['ws:', 'scheme', ({ api }) => api.replace('http', 'ws')],
    ['blob: with the right origin inside', 'scheme', ({ api }) => `blob:${api}/1-2-3`],
    ['a blob that this process made', 'scheme', () => URL.createObjectURL(new Blob(['x']))],
    ['a scheme in upper case', 'scheme', () => 'FILE:///etc/passwd'],
    ['what no parser takes', 'url', () => 'http://[::1'],
    ['a host with forbidden characters', 'url', ({ port }) => `http://127.0.0.1:${port}%2f@x y/`],
    ['a URL object that lies the first time', 'origin', ({ api, evil }) => changingUrl(evil, api)],
    [
      'a Request that lies about its body’s way',
      'origin',
      ({ api, evil }) => lyingRequest(api, evil, { method: 'POST', body: 'x' }),
    ],
  ];

  it.each(attacks)('%s', async (_name, code, address) => {
    const target = address({
      api: servers.api.origin,
      evil: servers.evil.origin,
      port: servers.api.port,
    });
    expect(await refusalOf(servers.fetchTo('')(target))).toBe(code);
    expectNothingSent(servers);
  });

  const httpsAttacks: readonly (readonly [name: string, code: string, address: string])[] = [
    ['a downgrade to plain HTTP', 'origin', 'http://api.example/'],
    ['a trailing dot in the host', 'origin', 'https://api.example./'],
    ['a Cyrillic lookalike', 'origin', 'https://\u0430pi.example/'],
    ['a subdomain', 'origin', 'https://x.api.example/'],
    ['a host that begins like the resource’s', 'origin', 'https://api.example.evil.example/'],
    ['a host that ends like the resource’s', 'origin', 'https://evil-api.example/'],
    [
      'a user name before an ideographic full stop',
      'url',
      'https://api.example@evil\u3002example/',
    ],
    ['a backslash before an at sign', 'origin', 'https://evil.example\\@api.example/'],
    ['a hash before an at sign', 'origin', 'https://evil.example#@api.example/'],
    ['another port', 'origin', 'https://api.example:8443/'],
  ];

  it.each(httpsAttacks)('%s, of a resource on https:', async (_name, code, address) => {
    const resource = locateResource({ name: 'billing', baseUrl: 'https://api.example' });
    const neverFetch = (): never => expect.unreachable('a request was sent');
    const fetch = createPrincipalFetch({
      resource,
      proofs,
      authority: servers.authority,
      fetch: neverFetch,
    });
    expect(await refusalOf(fetch(address))).toBe(code);
    expectNothingSent(servers);
  });

  it.each([
    ['the origin’s root', '/'],
    ['a sibling of the base path', '/admin'],
    ['a path that only begins like it', '/v10/x'],
    ['plain dot segments', '../admin'],
    ['dot segments in the middle', 'a/../../admin'],
    ['encoded dots', '%2e%2e/admin'],
    ['half encoded dots', '.%2E/admin'],
    ['an encoded slash', '..%2fadmin'],
    ['an encoded backslash', '..%5cadmin'],
    ['a plain backslash', '..\\admin'],
    ['dots encoded twice', '%252e%252e%252fadmin'],
    ['a path parameter', '..;/admin'],
    ['double slashes to climb from', 'a//..%2f..%2f..%2fadmin'],
    ['a tab inside dots', '.\t./admin'],
  ])('a path outside the base path, by %s', async (_name, path) => {
    expect(await refusalOf(servers.fetchTo('/v1')(path))).toBe('path');
    expect(
      await refusalOf(servers.fetchTo('/v1')(new URL(path, `${servers.api.origin}/v1/`))),
    ).toBe('path');
    expectNothingSent(servers);
  });
});

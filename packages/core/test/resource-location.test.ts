import { describe, expect, it } from 'vitest';
import { ConfigurationError, RequestRefusedError } from '../src/errors.ts';
import { isPathWithin } from '../src/path-confinement.ts';
import { locateResource, resolveTarget } from '../src/resource-location.ts';

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('locateResource', () => {
  it('ends the base path in a slash and allows the base URL’s origin', () => {
    const { baseUrl, allowedOrigins } = locateResource({
      name: 'billing',
      baseUrl: 'https://api.example:443/v1',
    });
    expect(baseUrl.href).toBe('https://api.example/v1/');
    expect([...allowedOrigins]).toEqual(['https://api.example']);
  });

  it('adds further origins to the base URL’s own', () => {
    const { allowedOrigins } = locateResource({
      name: 'billing',
      baseUrl: new URL('https://api.example'),
      allowedOrigins: ['https://UPLOADS.example:443/', 'https://api.example'],
    });
    expect([...allowedOrigins]).toEqual(['https://api.example', 'https://uploads.example']);
  });

  it.each([
    'http://localhost:3000',
    'http://127.0.0.1',
    'http://127.8.9.10/x',
    'http://[::1]:8080',
  ])('takes plain HTTP on loopback: %s', (baseUrl) => {
    expect(locateResource({ name: 'local', baseUrl }).baseUrl.protocol).toBe('http:');
  });

  it.each([
    ['plain HTTP', 'http://api.example', 'came http://api.example'],
    ['a host that only looks like loopback', 'http://127.0.0.1.example', 'expected https:'],
    ['a host that begins like loopback', 'http://localhost.example', 'expected https:'],
    ['all interfaces, which are not loopback', 'http://0.0.0.0', 'expected https:'],
    ['another scheme', 'ftp://api.example', 'came ftp://api.example'],
    ['a scheme without host', 'data:text/plain,x', 'came data:'],
    ['credentials', 'https://user:hunter2@api.example', 'without credentials'],
    ['a query', 'https://api.example/?key=hunter2', 'without query and fragment'],
    ['a fragment', 'https://api.example/#hunter2', 'without query and fragment'],
    ['a relative URL', '/v1', 'expected an absolute URL'],
    ['an encoded dot segment', 'https://api.example/v1/..%2fv2', 'dot segments'],
  ])('refuses %s, naming the field', (_what, baseUrl, message) => {
    const error = caught(() => locateResource({ name: 'billing', baseUrl }));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error).toMatchObject({ paths: ['baseUrl'] });
    expect(String(error)).toContain('resource "billing": baseUrl: ');
    expect(String(error)).toContain(message);
    expect(String(error)).not.toContain('hunter2');
  });

  it.each([
    'https://a.example/path',
    'http://a.example',
    'https://u:p@a.example',
    'a.example',
    '*',
  ])('refuses the further origin %s, naming which one it is', (origin) => {
    const input = { name: 'billing', baseUrl: 'https://api.example' };
    const allowedOrigins = ['https://ok.example', origin];
    expect(caught(() => locateResource({ ...input, allowedOrigins }))).toMatchObject({
      name: 'ConfigurationError',
      paths: ['allowedOrigins.1'],
    });
  });
});

describe('resolveTarget', () => {
  const resource = locateResource({
    name: 'billing',
    baseUrl: 'https://api.example/v1',
    allowedOrigins: ['https://uploads.example'],
  });

  it.each([
    ['invoices', 'https://api.example/v1/invoices'],
    ['./invoices/../customers?q=..%2f', 'https://api.example/v1/customers?q=..%2f'],
    ['?page=2', 'https://api.example/v1/?page=2'],
    ['', 'https://api.example/v1/'],
    ['/v1', 'https://api.example/v1'],
    ['/v1/a%2Fb', 'https://api.example/v1/a%2Fb'],
    ['https://API.example:443/v1/x', 'https://api.example/v1/x'],
    ['https://uploads.example/anything', 'https://uploads.example/anything'],
  ])('lets %j go to %s', (target, expected) => {
    expect(resolveTarget(resource, target).href).toBe(expected);
  });

  it.each(['/invoices', '../v2/x', '/v10/x', '/V1/x', 'https://api.example/', '//api.example/v2'])(
    'refuses %j, which leaves the base path',
    (target) => {
      expect(caught(() => resolveTarget(resource, target))).toMatchObject({ code: 'path' });
    },
  );

  it('lets a base URL without a path reach the whole origin', () => {
    const open = locateResource({ name: 'open', baseUrl: 'https://api.example' });
    expect(resolveTarget(open, '/a/..%2fb').pathname).toBe('/a/..%2fb');
  });

  it('keeps paths, queries and credentials out of its messages', () => {
    for (const target of [
      'https://evil.example/hunter2?key=hunter2#hunter2',
      'https://user:hunter2@api.example/',
      'https://hunter2 .example',
      '/hunter2',
    ]) {
      const error = caught(() => resolveTarget(resource, target));
      expect(error).toBeInstanceOf(RequestRefusedError);
      expect(`${error} ${(error as Error).cause}`).not.toContain('hunter2');
    }
  });
});

describe('a path is outside the prefix', () => {
  it.each([
    '/v1/..%2fadmin',
    '/v1/..%2Fadmin',
    '/v1/..%5cadmin',
    '/v1/%252e%252e/admin',
    '/v1/%25252e%25252e%25252fadmin',
    '/v1/%25%32%65%25%32%65/admin',
    '/v1/a/b/..%2f..%2f..%2fadmin',
    '/v1//..%2f..%2fadmin',
    '/v1/..;/admin',
    '/v1/..;session=1/admin',
    '/v1/%2e%2e%3b/admin',
    '/v1/..%00/../%2e%2e%2f',
    '/%761/x',
    `/v1/%${'25'.repeat(40)}2e.`,
  ])('when it hides a parent segment: %s', (path) => {
    expect(isPathWithin('/v1/', path)).toBe(false);
  });

  it.each([
    '/v1/a...b',
    '/v1/.../x',
    '/v1/%2e',
    '/v1/..x',
    '/v1/a%2fb',
    '/v1/100%',
    '/v1/a..',
    '/v1//x',
  ])('but not for %s', (path) => {
    expect(isPathWithin('/v1/', path)).toBe(true);
  });

  it('and that is found in linear time', () => {
    expect(isPathWithin('/v1/', `/v1/%${'25'.repeat(1_000_000)}2e.`)).toBe(false);
    expect(isPathWithin('/v1/', `/v1/${'%25'.repeat(1_000_000)}`)).toBe(true);
  });
});

import { ConfigurationError, RequestRefusedError } from './errors.ts';
import { isPathWithin } from './path-confinement.ts';
import { isProtectedTransport } from './protected-transport.ts';

/** Where a resource lives, and where its token may go. Made by {@link locateResource}. */
export interface ResourceLocation {
  readonly name: string;
  /** Its path ends in `/`. Unless that is all of it, requests to this origin stay under it. */
  readonly baseUrl: URL;
  /** Serialised origins (RFC 6454 section 6.2), the one of `baseUrl` included. */
  readonly allowedOrigins: ReadonlySet<string>;
}

/** What an app says about where a resource lives. */
export interface ResourceLocationInput {
  readonly name: string;
  /** `https:`, or `http:` on loopback. A path in it confines requests to that path. */
  readonly baseUrl: string | URL;
  /** Further origins that the token may go to, with any path: `https://uploads.example`. */
  readonly allowedOrigins?: readonly string[] | undefined;
}

/**
 * Checks where a resource lives, once, at construction.
 *
 * @throws {ConfigurationError} that names the field: `baseUrl`, `allowedOrigins.0`.
 */
export function locateResource(input: ResourceLocationInput): ResourceLocation {
  const wrong = (field: string, problem: string): ConfigurationError =>
    new ConfigurationError(`resource "${input.name}": ${field}: ${problem}`, [field]);

  const parse = (field: string, value: string | URL): URL => {
    const url = URL.parse(String(value));
    if (url === null)
      throw wrong(field, 'expected an absolute URL; came what cannot be parsed as one');
    if (!isProtectedTransport(url))
      throw wrong(field, `expected https:, or http: on loopback; came ${schemeAndHost(url)}`);
    if (url.username !== '' || url.password !== '')
      throw wrong(
        field,
        'expected a URL without credentials; came one with a user name or password',
      );
    if (url.search !== '' || url.hash !== '')
      throw wrong(field, 'expected a URL without query and fragment; came one that has them');
    return url;
  };

  const base = parse('baseUrl', input.baseUrl);
  const path = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
  if (!isPathWithin(path, path))
    throw wrong('baseUrl', 'expected a path without encoded dot segments; came one with ".."');
  const allowedOrigins = new Set([base.origin]);
  for (const [index, value] of (input.allowedOrigins ?? []).entries()) {
    const field = `allowedOrigins.${index}`;
    const url = parse(field, value);
    if (url.pathname !== '/')
      throw wrong(field, `expected an origin without a path; came the path ${url.pathname}`);
    allowedOrigins.add(url.origin);
  }
  return { name: input.name, baseUrl: new URL(path, base), allowedOrigins };
}

/**
 * The URL that a request for `target` goes to, resolved against `from` and checked: its scheme, that it carries
 * no credentials, its origin, and at the base URL's origin also its path.
 *
 * The answer is a new URL of our own: what was checked is what is sent.
 *
 * @throws {RequestRefusedError} The message names an origin at most: paths and queries may hold secrets.
 */
export function resolveTarget(
  resource: ResourceLocation,
  target: string,
  from: URL = resource.baseUrl,
): URL {
  const url = URL.parse(target, from.href);
  // The text itself stays out of the message: a URL may hold secrets.
  if (url === null)
    throw refused('url', resource, 'expected a URL, or one relative to the base URL');
  const { baseUrl } = resource;
  // Most requests, in one look: what begins with the whole base URL has its scheme, its origin and its path, and
  // no credentials; and nothing is hidden where nothing is encoded.
  if (url.href.startsWith(baseUrl.href) && !/%|\.\./.test(url.href)) return url;
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refused('scheme', resource, `expected the scheme https:, came ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw refused('url', resource, 'expected a URL without user name and password');
  if (!resource.allowedOrigins.has(url.origin)) {
    const allowed = [...resource.allowedOrigins].join(', ');
    throw refused('origin', resource, `expected one of the origins ${allowed}, came ${url.origin}`);
  }
  if (url.origin === baseUrl.origin && !isPathWithin(baseUrl.pathname, url.pathname))
    throw refused('path', resource, `expected a path under ${baseUrl.pathname}`);
  return url;
}

function refused(
  code: RequestRefusedError['code'],
  resource: ResourceLocation,
  problem: string,
): RequestRefusedError {
  return new RequestRefusedError(
    code,
    `Request to resource "${resource.name}" refused: ${problem}.`,
  );
}

function schemeAndHost(url: URL): string {
  return url.host === '' ? url.protocol : `${url.protocol}//${url.host}`;
}

import * as oidc from 'openid-client';
import type { Clock } from './clock.ts';
import { ConfigurationError } from './errors.ts';
import { isProtectedTransport } from './protected-transport.ts';
import type { Secret } from './secret.ts';

/** How a client authenticates at the token endpoint (RFC 6749 section 2.3.1). */
export type ClientAuthentication = 'client_secret_basic' | 'client_secret_post' | 'none';

/** One client registration at one issuer. */
export interface OpenidIssuerOptions {
  /** Issuer identifier: `https:`, or `http:` on loopback. Must be the `issuer` of its own metadata. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: Secret;
  /** Default `client_secret_basic` with a secret, `none` without. */
  readonly clientAuthentication?: ClientAuthentication;
  /** How long the issuer may take to answer one request in full. Default 30 000. */
  readonly requestTimeoutMs?: number;
  /** The issuer's metadata (RFC 8414 section 2). Given, nothing is discovered. */
  readonly metadata?: oidc.ServerMetadata;
  /** Default: the platform's, as it is when the issuer is created. */
  readonly fetch?: typeof globalThis.fetch;
  readonly clock: Clock;
  /** Whether ID tokens are kept with the tokens: for identity assertions. Default `false`. */
  readonly keepsIdTokens?: boolean;
  /** Refuses callbacks without `iss` even if the metadata does not promise it (RFC 9207). Default `false`. */
  readonly responseIssuerRequired?: boolean;
}

/**
 * The issuer identifier as a URL.
 *
 * @throws {ConfigurationError} naming the field: `issuer`, `clientId`, `requestTimeoutMs`, `metadata.issuer`.
 */
export function checkedIssuerUrl(options: OpenidIssuerOptions): URL {
  const { issuer, clientId, requestTimeoutMs, metadata } = options;
  if (!URL.canParse(issuer)) throw wrong('issuer', 'expected an absolute URL');
  const url = new URL(issuer);
  if (!isProtectedTransport(url))
    throw wrong('issuer', `expected https:, or http: on loopback; came ${url.protocol}`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw wrong('issuer', 'expected a URL without credentials, query and fragment');
  // openid-client takes such a URL for the metadata's own address, and no longer compares the issuer.
  if (url.pathname.includes('/.well-known/'))
    throw wrong('issuer', 'expected the issuer identifier; came the address of its metadata');
  if (clientId === '') throw wrong('clientId', 'expected a text; came an empty one');
  if (requestTimeoutMs !== undefined && !(requestTimeoutMs > 0))
    throw wrong('requestTimeoutMs', `expected a number above 0; came ${requestTimeoutMs}`);
  if (metadata !== undefined && metadata.issuer !== issuer)
    throw wrong('metadata.issuer', `expected ${issuer}; came ${metadata.issuer}`);
  return url;
}

/** @throws {ConfigurationError} when the method and the secret do not go together. */
export function clientAuthenticationOf(options: OpenidIssuerOptions): oidc.ClientAuth {
  const { clientSecret: secret } = options;
  const method =
    options.clientAuthentication ?? (secret === undefined ? 'none' : 'client_secret_basic');
  if (method === 'none') {
    if (secret === undefined) return oidc.None();
    throw wrong('clientAuthentication', 'expected a method that uses the clientSecret; came none');
  }
  if (secret === undefined || secret.reveal() === '')
    throw wrong('clientSecret', `expected a secret, which ${method} needs; came nothing`);
  return method === 'client_secret_post'
    ? oidc.ClientSecretPost(secret.reveal())
    : oidc.ClientSecretBasic(secret.reveal());
}

function wrong(path: string, problem: string): ConfigurationError {
  return new ConfigurationError(`openid issuer: ${path}: ${problem}`, [path]);
}

import * as oidc from 'openid-client';
import { ConfigurationError } from './errors.ts';
import type { Issuer } from './issuer.ts';
import { openProofKey } from './proof-key.ts';
import { isProtectedTransport } from './protected-transport.ts';
import { safeErrorCode } from './token-endpoint-error.ts';

/** What starts the authorization code flow. */
export type AuthorizationRequest = Parameters<Issuer['authorizationUrl']>[0];

/** What a callback must match. */
export interface ExpectedCallback {
  readonly state: string;
  /** The issuer the user was sent to. */
  readonly issuer: string;
  /** Whether a callback without `iss` is refused (RFC 9207 section 2.4). */
  readonly issuerRequired: boolean;
}

/** The code of a good callback, or why there is none: an OAuth error code, or one of ours. */
export type CallbackResult =
  | { readonly code: string; readonly refused?: undefined }
  | { readonly refused: string };

const ownParameters = new Set([
  'client_id',
  'response_type',
  'redirect_uri',
  'scope',
  'resource',
  'state',
  'nonce',
  'login_hint',
  'dpop_jkt',
  'code_challenge',
  'code_challenge_method',
]);

/**
 * The URL that starts the authorization code flow: with PKCE S256 always (RFC 7636, RFC 9700 section 2.1.1), and
 * a resource indicator for each resource (RFC 8707).
 *
 * @throws {ConfigurationError} when the issuer has no such endpoint or lists PKCE methods without S256, when
 *   `state` or `codeVerifier` is unfit, or when `parameters` sets what has a field of its own.
 */
export async function buildAuthorizationUrl(
  configuration: oidc.Configuration,
  request: AuthorizationRequest,
): Promise<URL> {
  const metadata = configuration.serverMetadata();
  checkServer(metadata);
  checkRequest(request);
  const { redirectUri, scopes, resources = [], state, nonce, loginHint, parameters = {} } = request;
  const challenge = await oidc.calculatePKCECodeChallenge(request.codeVerifier.reveal());
  const query = new URLSearchParams(parameters);
  query.set('redirect_uri', redirectUri);
  if (scopes.length > 0) query.set('scope', scopes.join(' '));
  for (const resource of resources) query.append('resource', resource);
  query.set('state', state);
  if (nonce !== undefined) query.set('nonce', nonce);
  if (loginHint !== undefined) query.set('login_hint', loginHint);
  if (request.proofKey !== undefined)
    query.set('dpop_jkt', (await openProofKey(request.proofKey)).thumbprint);
  query.set('code_challenge', challenge);
  query.set('code_challenge_method', 'S256');
  return oidc.buildAuthorizationUrl(configuration, query);
}

/**
 * Checks a callback before its code goes anywhere: `state`, then `iss` by plain string comparison (RFC 9207),
 * so that a code which another issuer sent along with a mixed-up user is never redeemed here.
 */
export function readCallback(callback: URL, expected: ExpectedCallback): CallbackResult {
  const query = callback.searchParams;
  const once = ['state', 'iss', 'error', 'code'];
  if (once.some((name) => query.getAll(name).length > 1)) return { refused: 'duplicate_parameter' };
  if (query.get('state') !== expected.state) return { refused: 'state_mismatch' };
  const issuer = query.get('iss');
  if (issuer === null && expected.issuerRequired) return { refused: 'issuer_missing' };
  if (issuer !== null && issuer !== expected.issuer) return { refused: 'issuer_mismatch' };
  const error = query.get('error');
  if (error !== null) return { refused: safeErrorCode(error) ?? 'unrecognized_error' };
  const code = query.get('code') ?? '';
  return code === '' ? { refused: 'code_missing' } : { code };
}

function checkServer(metadata: oidc.ServerMetadata): void {
  const endpoint = metadata.authorization_endpoint;
  if (endpoint === undefined || !URL.canParse(endpoint) || !isProtectedTransport(new URL(endpoint)))
    throw wrong(
      'metadata.authorization_endpoint',
      `expected an https: URL; came ${endpoint ?? 'nothing'}`,
    );
  const methods = metadata.code_challenge_methods_supported;
  if (methods !== undefined && !methods.includes('S256'))
    throw wrong(
      'metadata.code_challenge_methods_supported',
      `expected S256 among them; came ${methods.join(', ') || 'none'}`,
    );
}

function checkRequest({ state, codeVerifier, parameters = {} }: AuthorizationRequest): void {
  if (state === '') throw wrong('state', 'expected an unguessable text; came an empty one');
  // RFC 7636 section 4.1. What came is a secret.
  if (!/^[\w.~-]{43,128}$/.test(codeVerifier.reveal()))
    throw wrong('codeVerifier', 'expected 43 to 128 letters, digits, "-", ".", "_" or "~"');
  const taken = Object.keys(parameters).find((name) => ownParameters.has(name));
  if (taken !== undefined)
    throw wrong(`parameters.${taken}`, 'is not an option; it has a field of its own');
}

function wrong(path: string, problem: string): ConfigurationError {
  return new ConfigurationError(`authorization request: ${path}: ${problem}`, [path]);
}

import type { TokenSet } from './issuer.ts';
import { Secret } from './secret.ts';

interface RawResponse {
  readonly access_token?: unknown;
  readonly refresh_token?: unknown;
  readonly token_type?: unknown;
  readonly expires_in?: unknown;
  readonly scope?: unknown;
  readonly error?: unknown;
}

/**
 * Reads the tokens out of a raw token response (RFC 6749 section 5.1).
 *
 * It asks for what the runtime needs and no more, because its other use is to save a pair whose response
 * failed validation, or that was journaled before a crash: an access token, and a refresh token that is either
 * absent or good. A refresh token that is present but unreadable makes the whole response unreadable; to take
 * it for absent would keep the old one, which the issuer has likely consumed.
 *
 * The ID token is not read: nothing here has validated it.
 */
export function parseTokenResponse(body: string): TokenSet | undefined {
  const response = parseJsonObject(body);
  if (response === undefined) return undefined;
  const accessToken = response.access_token;
  const refreshToken = response.refresh_token ?? undefined;
  if (!isFilledString(accessToken)) return undefined;
  if (refreshToken !== undefined && !isFilledString(refreshToken)) return undefined;
  const tokenType = response.token_type;
  const expiresInMs = lifetimeMs(response.expires_in);
  const scopes = scopeList(response.scope);
  return {
    accessToken: new Secret(accessToken),
    ...(refreshToken === undefined ? {} : { refreshToken: new Secret(refreshToken) }),
    tokenType: isFilledString(tokenType) ? tokenType.toLowerCase() : 'bearer',
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(scopes === undefined ? {} : { scopes }),
  };
}

/** The `error` of an OAuth error body (RFC 6749 section 5.2); absent when the body holds an access token. */
export function errorCodeOf(body: string): string | undefined {
  const response = parseJsonObject(body);
  if (response === undefined || isFilledString(response.access_token)) return undefined;
  return isFilledString(response.error) ? response.error : undefined;
}

function parseJsonObject(body: string): RawResponse | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as RawResponse)
      : undefined;
  } catch {
    // The SyntaxError quotes the body, and the body may hold tokens: it must not travel.
    return undefined;
  }
}

function isFilledString(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Some issuers send the number as a string. */
function lifetimeMs(expiresIn: unknown): number | undefined {
  const seconds = isFilledString(expiresIn) ? Number(expiresIn) : expiresIn;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0
    ? seconds * 1000
    : undefined;
}

/** Some issuers send a list. An empty `scope` is outside the grammar (RFC 6749 section 3.3): the issuer said nothing. */
function scopeList(scope: unknown): readonly string[] | undefined {
  const words = Array.isArray(scope) ? scope : isFilledString(scope) ? scope.split(' ') : [];
  const scopes = words.filter(isFilledString);
  return scopes.length === 0 ? undefined : scopes;
}

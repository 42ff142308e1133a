import { createLocalJWKSet, errors, type JWK, jwtVerify } from 'jose';
import type { Provider } from 'oidc-provider';
import type { TestUsers } from './issuer-users.ts';

/** Who acts for the subject, and for whom they act in turn (RFC 8693 section 4.1). */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

/** What a resource server learns about a good access token. */
export interface AccessTokenFacts {
  /** The user, or the client of a client-credentials token. */
  readonly subject: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Resource indicators it is meant for; empty for the issuer's own userinfo. */
  readonly audience: readonly string[];
  /** Who acts for the subject (RFC 8693 section 4.1). */
  readonly actor?: Actor;
  /** Thumbprint of the key that the token is bound to (RFC 9449 section 6). */
  readonly keyThumbprint?: string;
}

/** Reads access tokens as the issuer's resource servers do: JWTs by signature, opaque ones from the issuer's store. */
export function accessTokenReader(
  provider: Provider,
  users: TestUsers,
  { kty, crv, x, y, kid, alg }: JWK,
): (token: string) => Promise<AccessTokenFacts | undefined> {
  const keys = createLocalJWKSet({ keys: [{ kty, crv, x, y, kid, alg } as JWK] });

  async function readJwt(token: string): Promise<AccessTokenFacts | undefined> {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer: provider.issuer, typ: 'at+jwt' });
      const { sub, client_id: clientId, scope, aud, act, cnf } = payload;
      return {
        subject: String(sub),
        clientId: String(clientId),
        scopes: split(scope),
        audience: [aud ?? []].flat(),
        ...(act === undefined ? {} : { actor: act as Actor }),
        ...(cnf === undefined ? {} : { keyThumbprint: String(Object(cnf).jkt) }),
      };
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  async function readOpaque(value: string): Promise<AccessTokenFacts | undefined> {
    const token = await provider.AccessToken.find(value);
    if (token && !users.isActive(token.accountId)) return undefined;
    const clientToken = token ? undefined : await provider.ClientCredentials.find(value);
    const found = token ?? clientToken;
    if (!found) return undefined;
    const clientId = String(found.clientId);
    const { act } = (found.extra ?? {}) as { readonly act?: Actor };
    return {
      subject: token?.accountId ?? clientId,
      clientId,
      scopes: split(found.scope),
      audience: [found.aud ?? []].flat(),
      ...(act === undefined ? {} : { actor: act }),
      ...(found.jkt === undefined ? {} : { keyThumbprint: found.jkt }),
    };
  }

  return (token) => (token.split('.').length === 3 ? readJwt(token) : readOpaque(token));
}

function split(scope: unknown): readonly string[] {
  return typeof scope === 'string' && scope !== '' ? scope.split(' ') : [];
}

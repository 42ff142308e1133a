import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { fetchTransmitterMetadata } from './transmitter-metadata.ts';

/** Where the keys of who signs are: themselves, a URL, or what the metadata of the issuer says. */
export interface SigningKeysOptions {
  readonly issuer: string;
  readonly jwks?: JSONWebKeySet;
  readonly jwksUri?: string;
  readonly fetch: typeof globalThis.fetch;
  /** Which metadata names the keys where neither is given. */
  readonly metadata: 'ssf-configuration' | 'openid-configuration';
}

/** Keys to verify tokens with; remote ones are fetched at first use, and again when a token names an unknown one. */
export function signingKeys(options: SigningKeysOptions): JWTVerifyGetKey {
  const { issuer, jwks, jwksUri, fetch, metadata } = options;
  if (jwks !== undefined) return createLocalJWKSet(jwks);
  const remote = (uri: string): JWTVerifyGetKey =>
    createRemoteJWKSet(new URL(uri), { [customFetch]: fetch, timeoutDuration: 5000 });
  if (jwksUri !== undefined) return remote(jwksUri);
  let found: Promise<JWTVerifyGetKey> | undefined;
  return async (header, token) => {
    found ??= fetchTransmitterMetadata(issuer, metadata, fetch)
      .then(({ jwks_uri }) => remote(jwks_uri))
      .catch((error: unknown) => {
        // The next token tries again.
        found = undefined;
        throw error;
      });
    return (await found)(header, token);
  };
}

/** Whether verification failed for want of keys, and not because of the token: then it must be sent again. */
export function isKeysUnavailable(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return true;
  // What jose says of a key endpoint that answers badly, and what `fetch` says of one that does not answer.
  const isJose = error instanceof errors.JOSEError;
  return !isJose || error.code === 'ERR_JOSE_GENERIC';
}

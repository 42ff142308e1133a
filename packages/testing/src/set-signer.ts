import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';

/** How a security event token or logout token is signed. What is left out is as it should be. */
export interface SigningChoices {
  /** Protected header parameters that replace or add to the usual ones; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** A key that is not the signer's own. */
  readonly key?: CryptoKey;
}

/** Signs tokens, and publishes the key that they are verified with. */
export interface SetSigner {
  /** The public keys. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Claims that are `undefined` are left out. */
  sign(claims: Readonly<Record<string, unknown>>, choices?: SigningChoices): Promise<string>;
}

/** The media type of a security event token, without `application/` (RFC 8417 section 2.3). */
export const setType = 'secevent+jwt';

/** Makes a signer with a key pair of its own: RS256, which every receiver of the SSF interoperability profile knows. */
export async function createSetSigner(): Promise<SetSigner> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = randomUUID();
  return {
    jwks: { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }] },
    sign(claims, { header = {}, key = privateKey } = {}) {
      const protectedHeader = withoutUndefined({ alg: 'RS256', typ: setType, kid, ...header });
      return new SignJWT(withoutUndefined(claims) as JWTPayload)
        .setProtectedHeader(protectedHeader as { alg: string })
        .sign(key);
    },
  };
}

function withoutUndefined(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

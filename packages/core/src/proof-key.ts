import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import { Secret } from './secret.ts';

/** A key that tokens are bound to (RFC 9449), ready for use. Its private half cannot be exported. */
export interface ProofKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  /** As it stands in a proof. */
  readonly publicJwk: JWK;
  /** RFC 7638, as it stands in a token that is bound to it. */
  readonly thumbprint: string;
}

/** The one algorithm of these keys: the one that every issuer with DPoP has. */
export const proofAlgorithm = 'ES256';

/** Draws a key. It is stored as a private JWK (RFC 7517), sealed beside the tokens that are bound to it. */
export async function drawProofKey(): Promise<Secret> {
  const { privateKey } = await generateKeyPair(proofAlgorithm, { extractable: true });
  return new Secret(JSON.stringify(await exportJWK(privateKey)));
}

const opened = new WeakMap<Secret, Promise<ProofKey>>();

/** The key that was stored as `key`. Each is imported once for as long as its Secret is held. */
export function openProofKey(key: Secret): Promise<ProofKey> {
  const known = opened.get(key);
  if (known !== undefined) return known;
  const opening = importProofKey(key);
  opened.set(key, opening);
  return opening;
}

async function importProofKey(key: Secret): Promise<ProofKey> {
  const { d, ...publicJwk } = JSON.parse(key.reveal()) as JWK;
  const { kty, crv, x, y } = publicJwk;
  const shown = { kty, crv, x, y } as JWK;
  return {
    privateKey: await cryptoKey({ ...shown, d } as JWK, false),
    publicKey: await cryptoKey(shown, true),
    publicJwk: shown,
    thumbprint: await calculateJwkThumbprint(shown),
  };
}

async function cryptoKey(jwk: JWK, extractable: boolean): Promise<CryptoKey> {
  const key = await importJWK(jwk, proofAlgorithm, { extractable });
  if (key instanceof Uint8Array) throw new TypeError('proof key: expected an EC key');
  return key;
}

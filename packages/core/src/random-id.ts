import { sha256 } from '@noble/hashes/sha2.js';
import { encode as encodeBase64Url } from 'jose/base64url';
import type { Secret } from './secret.ts';

/** 128 random bits, base64url. */
export function randomId(): string {
  return encodeBase64Url(crypto.getRandomValues(new Uint8Array(16)));
}

/** A short digest that tells tokens apart and gives none away; stored sealed all the same. */
export function fingerprintOf(token: Secret | undefined): string {
  if (token === undefined) return '';
  const digest = sha256(new TextEncoder().encode(token.reveal()));
  return encodeBase64Url(digest).slice(0, 22);
}

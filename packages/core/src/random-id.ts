import { encode as encodeBase64Url } from 'jose/base64url';
import type { Secret } from './secret.ts';

/** 128 random bits, base64url. */
export function randomId(): string {
  return encodeBase64Url(crypto.getRandomValues(new Uint8Array(16)));
}

/** A short digest that tells tokens apart and gives none away; stored sealed all the same. */
export async function fingerprintOf(token: Secret | undefined): Promise<string> {
  if (token === undefined) return '';
  const bytes = new TextEncoder().encode(token.reveal());
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return encodeBase64Url(new Uint8Array(digest)).slice(0, 22);
}

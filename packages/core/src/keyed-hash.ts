import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { encode as encodeBase64Url } from 'jose/base64url';
import { ConfigurationError } from './errors.ts';
import { createRecentMap } from './recent-map.ts';

/** What a hash is for. Each has a key of its own, so that hashes of one purpose say nothing about another's. */
export type HashPurpose = 'subject' | 'grant' | 'match';

/** Names people, grants and calls in places where anybody who reads the store may look. */
export interface KeyedHash {
  /**
   * HMAC-SHA-256 (RFC 2104) of `text`, base64url, 22 characters (132 bits).
   *
   * @throws {TypeError} when `text` is not well-formed Unicode: two such texts would share one hash.
   */
  hash(purpose: HashPurpose, text: string): Promise<string>;
  /** The same of a text of the audit chain, with a key of its own and all 43 characters; `text` is well-formed Unicode. */
  chainHash(text: string): string;
}

/** Not a secret. Processes that share an unsealed store must agree on a key, and there is none to agree on. */
const publicKey = 'outlive: this store is unsealed and its hashes protect nobody';
const encoder = new TextEncoder();
const minimumBytes = 32;
const shortLength = 22;
const keyBytes = 32;
const cacheSize = 2048;

/**
 * Derives one HMAC key per purpose from `secret` (HKDF, RFC 5869).
 *
 * Keep `secret` for as long as the store lives, also when sealing keys rotate: record keys are made with it.
 * Without one (an unsealed store) the key is a constant of this file: hashes then hide no name from anybody who
 * guesses it, and an audit chain tells accidents but not attackers.
 *
 * @throws {ConfigurationError} when `secret` is shorter than 32 bytes.
 */
export function createKeyedHash(secret: Uint8Array | undefined): KeyedHash {
  if (secret !== undefined && secret.byteLength < minimumBytes)
    throw new ConfigurationError(
      `keys.hash: expected at least ${minimumBytes} bytes; got ${secret.byteLength}`,
      ['keys.hash'],
    );
  // Copied, so that a caller who wipes or reuses the buffer does not change the key.
  const material = secret === undefined ? bytesOf(publicKey) : new Uint8Array(secret);
  const keyed = new Map<HashPurpose | 'audit', ReturnType<typeof keyedFor>>();
  const recent = createRecentMap<string, string>(cacheSize);

  function compute(purpose: HashPurpose | 'audit', text: string): string {
    let start = keyed.get(purpose);
    if (start === undefined) {
      start = keyedFor(material, purpose);
      keyed.set(purpose, start);
    }
    return encodeBase64Url(start.clone().update(bytesOf(text)).digest());
  }

  return {
    async hash(purpose, text) {
      if (!text.isWellFormed())
        throw new TypeError('text: expected well-formed Unicode; got half a surrogate pair');
      const name = `${purpose}:${text}`;
      const known = recent.get(name);
      if (known !== undefined) return known;
      const result = compute(purpose, text).slice(0, shortLength);
      recent.set(name, result);
      return result;
    },

    // Not remembered: every text of the chain is hashed once, and would push out names that come back.
    chainHash: (text) => compute('audit', text),
  };
}

/** The HMAC of one purpose, keyed and ready to be cloned for each text. */
function keyedFor(material: Uint8Array<ArrayBuffer>, purpose: HashPurpose | 'audit') {
  const info = bytesOf(`outlive keyed-hash v1 ${purpose}`);
  return hmac.create(sha256, hkdf(sha256, material, undefined, info, keyBytes));
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

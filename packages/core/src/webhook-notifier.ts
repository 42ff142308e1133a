import type { CryptoKey } from 'jose';
import { discardResponse } from './discard-response.ts';
import { ConfigurationError } from './errors.ts';
import type { Notifier } from './notifier.ts';
import { isProtectedTransport } from './protected-transport.ts';

/** What {@link webhookNotifier} takes. */
export interface WebhookNotifierOptions {
  /** Where notices go: https, or http on loopback. */
  readonly url: string;
  /** Shared with the receiver: `whsec_` and base64, or the bytes; 24 to 64 of them. */
  readonly secret: string | Uint8Array;
  /** Default `webhook`. */
  readonly name?: string;
  /** Default: the platform's, as it is now. */
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * A notifier that posts each notice as JSON, signed in the way of Standard Webhooks (standardwebhooks.com), for which
 * there are libraries in most languages: `webhook-id` is the idempotency key and stays the same when a notice is sent
 * again, `webhook-timestamp` is the time of this attempt in seconds, and `webhook-signature` an HMAC-SHA-256 over
 * both and the body.
 *
 * Any answer but a 2xx counts as a failure. Redirects are not followed: what is signed is for this URL.
 *
 * @throws {ConfigurationError} naming `url` or `secret`.
 */
export function webhookNotifier(options: WebhookNotifierOptions): Notifier {
  const { url, name = 'webhook' } = options;
  const target = URL.parse(url);
  if (target === null || !isProtectedTransport(target))
    throw wrong('url', 'an https URL, or an http URL on loopback', 'another one');
  const bytes = secretBytes(options.secret);
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  let key: Promise<CryptoKey> | undefined;

  return {
    name,
    async notify(notice, { idempotencyKey, signal }) {
      key ??= crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
        'sign',
      ]);
      const now = new Date();
      // The signature joins its parts with a full stop.
      const id = idempotencyKey.replaceAll('.', ':');
      const timestamp = String(Math.floor(now.getTime() / 1000));
      const body = JSON.stringify({
        type: 'outlive.escalation',
        timestamp: now.toISOString(),
        data: notice,
      });
      const signature = await crypto.subtle.sign(
        'HMAC',
        await key,
        new TextEncoder().encode(`${id}.${timestamp}.${body}`),
      );
      const response = await fetch(target, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${base64(new Uint8Array(signature))}`,
        },
        body,
        redirect: 'error',
        signal,
      });
      discardResponse(response);
      if (!response.ok) throw new Error(`the receiver answered ${response.status}`);
    },
  };
}

function secretBytes(secret: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = typeof secret === 'string' ? decoded(secret) : new Uint8Array(secret);
  if (bytes === undefined || bytes.byteLength < 24 || bytes.byteLength > 64)
    throw wrong('secret', '24 to 64 bytes, or "whsec_" and those in base64', 'something else');
  return bytes;
}

function decoded(secret: string): Uint8Array<ArrayBuffer> | undefined {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (encoded === undefined) return undefined;
  try {
    return Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  } catch {
    // Not base64: the caller says so.
    return undefined;
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function wrong(path: string, expected: string, came: string): ConfigurationError {
  // What came is a secret, or may hold one.
  return new ConfigurationError(`webhookNotifier: ${path}: expected ${expected}; got ${came}`, [
    path,
  ]);
}

import type { CustomFetch } from 'openid-client';
import type { Clock } from './clock.ts';
import { isProtectedTransport } from './protected-transport.ts';

/** How requests leave for an issuer. */
export interface IssuerTransport {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** What is known of one request, also when it ends in an error. */
export interface RequestProgress {
  /** Whether it was handed to the network. */
  sent: boolean;
  /** Body of the response, once it was read to its end. */
  body?: string;
  /** Whether the status of that response was 2xx. */
  succeeded?: boolean;
  /** What `beforeSend` threw. */
  abandoned?: { readonly reason: unknown };
}

/** Where the sender of a request looks in. */
export interface RequestHooks {
  readonly beforeSend?: () => void;
  readonly onResponse?: (body: string) => Promise<void>;
}

/**
 * The `fetch` of one request to an issuer: with its own time-out, which covers the body too and which no caller
 * can shorten; one attempt; nothing in clear text to anywhere but this machine.
 */
export function requestFetch(
  transport: IssuerTransport,
  progress: RequestProgress,
  hooks: RequestHooks = {},
): CustomFetch {
  return async (url, options) => {
    assertSecure(new URL(url));
    const timeout = new AbortController();
    const stop = transport.clock.schedule(
      () => timeout.abort(new DOMException('the issuer did not answer in time', 'TimeoutError')),
      transport.timeoutMs,
    );
    try {
      runBeforeSend(progress, hooks);
      // What was answered to a proof without a nonce (RFC 9449 section 8) is no answer to the next one.
      delete progress.body;
      delete progress.succeeded;
      // From here to the call nothing may wait: `beforeSend` answers for this instant.
      progress.sent = true;
      const response = await transport.fetch(url, {
        method: options.method,
        headers: options.headers,
        // Always a form or nothing here; the platforms' types differ on byte arrays.
        body: options.body instanceof URLSearchParams ? options.body : null,
        redirect: options.redirect,
        signal: timeout.signal,
      });
      // Read whole before anything looks at it: what fails validation may still hold the only copy of a pair.
      progress.body = await response.clone().text();
      progress.succeeded = response.ok;
      stop();
      if (response.ok) await runOnResponse(progress.body, hooks);
      return response;
    } finally {
      stop();
    }
  };
}

function assertSecure(url: URL): void {
  if (isProtectedTransport(url)) return;
  // Metadata of an issuer on loopback may point elsewhere; openid-client then no longer looks at the scheme.
  const error = new TypeError('the metadata names an endpoint without TLS');
  throw Object.assign(error, { code: 'OAUTH_HTTP_REQUEST_FORBIDDEN' });
}

function runBeforeSend(progress: RequestProgress, hooks: RequestHooks): void {
  try {
    hooks.beforeSend?.();
  } catch (reason) {
    progress.abandoned = { reason };
    throw reason;
  }
}

async function runOnResponse(body: string, hooks: RequestHooks): Promise<void> {
  try {
    await hooks.onResponse?.(body);
  } catch {
    // The journal is a second copy. Its failure is known to whoever passed the hook, and must not cost the first.
  }
}

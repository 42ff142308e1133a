import type { CallAuthority, CallToken, SendOutcome } from './call-authority.ts';
import { discardResponse } from './discard-response.ts';
import { captureRequest, fetchArguments } from './outgoing-request.ts';
import type { ProofMaker } from './proof-of-possession.ts';
import { followRedirect, isAnswerByRedirect } from './redirect.ts';
import type { ResourceLocation } from './resource-location.ts';
import { type ResourceRefusal, readRefusal } from './resource-refusal.ts';
import type { Secret } from './secret.ts';

/** What a principal's fetch is made of. */
export interface PrincipalFetchOptions {
  /** Made by `locateResource`. */
  readonly resource: ResourceLocation;
  readonly authority: CallAuthority;
  /** The platform's fetch, captured by the caller before any tool runs. */
  readonly fetch: typeof globalThis.fetch;
  readonly proofs: ProofMaker;
}

/**
 * Makes the `fetch` of a principal handle: relative URLs resolve against the resource's base URL, the token goes
 * to the resource's origins only, and every redirect is followed by hand and checked like a new request.
 *
 * A 401 gets one newer token and one more try, if the body can be sent again. What the resource finally refuses
 * rejects with an AuthError whose pause is recorded by then; responses that are not about authority are the
 * tool's. A token that is bound to a key goes with a proof for each request, made again once where the resource
 * wants its nonce in it (RFC 9449 section 9). The caller's `signal` ends its request and its waiting, never a refresh that others wait for too.
 *
 * It rejects with a RequestRefusedError (before anything is acquired or sent, save for a redirect), an AuthError,
 * the reason of `signal`, or the error of the platform's fetch as it is.
 */
export function createPrincipalFetch({
  resource,
  authority,
  fetch,
  proofs,
}: PrincipalFetchOptions): typeof globalThis.fetch {
  // One function, and nothing awaited that is there already: each further turn would show in every call's time.
  return async (input, init) => {
    let request = captureRequest(resource, input, init);
    request.signal?.throwIfAborted();
    const acquired = authority.acquire();
    let token = 'then' in acquired ? await untilAborted(acquired, request.signal) : acquired;
    const recorded = authority.beforeSend();
    if (recorded !== undefined) await recorded;

    let refusal: ResourceRefusal | undefined;
    let renewed = false;
    let proven = false;
    let hops = 0;
    /** What to report should it end here. */
    let outcome: SendOutcome = 'refused';
    /** What the hops before amount to: a POST that was answered with a 303 had its effect, whatever follows. */
    let settled: SendOutcome = 'refused';
    try {
      for (;;) {
        request.signal?.throwIfAborted();
        const authorization = authorizationOf(token);
        if (authorization === undefined) {
          refusal = tokenNotSendable;
          break;
        }
        const { proofKey } = token;
        const proof =
          proofKey &&
          (await proofs.proof({
            key: proofKey,
            method: request.method,
            url: request.url,
            accessToken: token.value,
          }));
        outcome = 'unknown';
        const response = await fetch(...fetchArguments(request, authorization, proof));
        outcome = 'answered';

        if (proof !== undefined && proofs.heard(request.url, response) && !proven) {
          outcome = settled;
          proven = true;
          discardResponse(response);
          if (request.replayable) continue;
          refusal = bodyNotReplayable;
          break;
        }
        refusal = readRefusal(response, token.value);
        if (refusal === undefined) {
          const next = followRedirect(resource, request, response, hops);
          if (next === undefined) return hops === 0 ? response : redirected(response);
          if (isAnswerByRedirect(response.status)) settled = 'answered';
          outcome = settled;
          request = next;
          hops += 1;
          continue;
        }

        outcome = settled;
        discardResponse(response);
        if (renewed || !refusal.renewable) break;
        // Renewed even where this call cannot use it, so that the next one finds a token that works.
        token = await untilAborted(authority.renew(token), request.signal);
        renewed = true;
        if (!request.replayable) {
          refusal = bodyNotReplayable;
          break;
        }
      }
    } finally {
      authority.afterSend(outcome);
    }
    throw await authority.refuse(refusal.code, refusal.options);
  };
}

const tokenNotSendable: ResourceRefusal = {
  code: 'misconfigured',
  options: { reason: 'token_not_sendable' },
  renewable: false,
};

const bodyNotReplayable: ResourceRefusal = {
  code: 'rejected_after_refresh',
  options: { reason: 'body_not_replayable' },
  renewable: false,
};

/** Tokens that were found to fit in a header; each is looked at once, and not held. */
const sendable = new WeakSet<Secret>();

/**
 * The header value for `token` (RFC 6750 section 2.1, RFC 9449 section 7.1); `undefined` when it holds characters that a header cannot carry. The platform
 * would refuse those too, with an error that repeats the token.
 */
function authorizationOf({ value, proofKey }: CallToken): string | undefined {
  const text = value.reveal();
  if (!sendable.has(value)) {
    if (!/^[\x21-\x7e]+$/.test(text)) return undefined;
    sendable.add(value);
  }
  return proofKey === undefined ? `Bearer ${text}` : `DPoP ${text}`;
}

/** `fetch` says of a response whether redirects led to it; the platform's followed none. */
function redirected(response: Response): Response {
  return Object.defineProperty(response, 'redirected', { value: true });
}

/** Waits for `shared`, which goes on when the wait ends: others wait for it too. */
function untilAborted<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return shared;
  return new Promise((resolve, reject) => {
    const stopWaiting = (): void => reject(signal.reason);
    if (signal.aborted) stopWaiting();
    signal.addEventListener('abort', stopWaiting, { once: true });
    const settle = (): void => signal.removeEventListener('abort', stopWaiting);
    shared.then(resolve, reject).then(settle, settle);
  });
}

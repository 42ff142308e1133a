import type { AuthError, AuthErrorCode, AuthErrorOptions } from './errors.ts';
import type { Secret } from './secret.ts';

/** An access token to present once. */
export interface CallToken {
  readonly value: Secret;
  /** Number of the token within its slot; tells which token a 401 was about. */
  readonly generation: number;
  /** The key it is bound to: each request has to prove that it is there (RFC 9449). Absent: a bearer token. */
  readonly proofKey?: Secret;
}

/** What a resource said when it refused, beyond the code: what it would accept instead. */
export interface RefusalOptions extends AuthErrorOptions {
  /** RFC 6750 section 3, `scope` of the challenge. */
  readonly requiredScopes?: readonly string[];
  /** RFC 9470 section 3, `acr_values` of the challenge, the preferred one first. */
  readonly acrValues?: readonly string[];
  /** RFC 9470 section 3, `max_age` of the challenge. */
  readonly maxAgeSeconds?: number;
}

/**
 * What became of a request, judged by what the resource may have done with it.
 *
 * - `refused`: it was not processed: the resource refused it for authorization reasons (401 or 403 with a
 *   challenge), or it never left.
 * - `answered`: the resource gave any other response.
 * - `unknown`: the connection failed, nobody can tell.
 */
export type SendOutcome = 'refused' | 'answered' | 'unknown';

/** The port between a principal's fetch and the runtime: where one tool call gets its authority from. */
export interface CallAuthority {
  /**
   * The token to send now: synchronous when it is fresh.
   *
   * @throws {AuthError} (as a rejection) when there is no authority; the pause is recorded by then.
   */
  acquire(): CallToken | Promise<CallToken>;

  /**
   * After a 401 `invalid_token`: a newer token if there is one, else the result of one refresh.
   *
   * @throws {AuthError} (as a rejection) when there is none.
   */
  renew(failed: CallToken): Promise<CallToken>;

  /** Records that the resource finally refused, and answers the error to throw (the pause is written before it resolves). */
  refuse(code: AuthErrorCode, options: RefusalOptions): Promise<AuthError>;

  /**
   * Called once per `fetch` call before its first byte leaves; a non-read call makes its ledger entry durable
   * here. `undefined`: nothing to wait for.
   *
   * @throws {AuthError} (as a rejection) when the call must not be made.
   */
  beforeSend(): Promise<void> | undefined;

  /** Called exactly once after each {@link CallAuthority.beforeSend} that did not fail, and before {@link CallAuthority.refuse}. */
  afterSend(outcome: SendOutcome): void;
}

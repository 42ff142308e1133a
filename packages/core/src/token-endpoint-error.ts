import { ClientError, ResponseBodyError, WWWAuthenticateChallengeError } from 'openid-client';
import type { TokenOutcome } from './issuer.ts';
import { errorCodeOf } from './token-response.ts';

/** What the error itself does not carry. */
export interface TokenErrorContext {
  /** Body of the response, where one was read. */
  readonly body?: string | undefined;
  /** Epoch ms, for a `Retry-After` date in a response without a `Date` header. Default: the platform's clock. */
  readonly now?: number | undefined;
}

/** A failed request to an issuer, told without anything that the issuer wrote in prose. */
export interface RequestFailure {
  /** HTTP status, where there was a response. */
  readonly status: number | undefined;
  /** OAuth error code, HTTP status, or the code of the library or platform. Safe to log. */
  readonly error: string;
  readonly retryAfterMs: number | undefined;
  /** Stands in for the original error, whose causes hold bodies with tokens. */
  readonly cause: Error;
}

/** What the issuer did with the request when it answers this, at a status below 500 that is not 429. */
const meaningOf: Readonly<Record<string, Meaning>> = {
  invalid_grant: { outcome: 'rejected', kind: 'reauthorization_required' },

  interaction_required: { outcome: 'rejected', kind: 'step_up_required' },
  login_required: { outcome: 'rejected', kind: 'step_up_required' },
  consent_required: { outcome: 'rejected', kind: 'step_up_required' },
  account_selection_required: { outcome: 'rejected', kind: 'step_up_required' },
  insufficient_user_authentication: { outcome: 'rejected', kind: 'step_up_required' },

  // Refused because of who asks or how: the refresh token was not looked at.
  invalid_client: { outcome: 'notSent', kind: 'misconfigured' },
  unauthorized_client: { outcome: 'notSent', kind: 'misconfigured' },
  unsupported_grant_type: { outcome: 'notSent', kind: 'misconfigured' },
  invalid_dpop_proof: { outcome: 'notSent', kind: 'misconfigured' },
  use_dpop_nonce: { outcome: 'notSent', kind: 'misconfigured' },

  // There are issuers that rotate first and look at resource and scope afterwards.
  invalid_target: { outcome: 'unknown', kind: 'bad_request' },
  invalid_scope: { outcome: 'unknown', kind: 'bad_request' },
  invalid_request: { outcome: 'unknown', kind: 'bad_request' },
  invalid_authorization_details: { outcome: 'unknown', kind: 'bad_request' },

  temporarily_unavailable: { outcome: 'unknown', kind: 'transient' },
  server_error: { outcome: 'unknown', kind: 'transient' },
};

type Meaning =
  | { readonly outcome: 'rejected'; readonly kind: 'reauthorization_required' | 'step_up_required' }
  | { readonly outcome: 'notSent'; readonly kind: 'transient' | 'rate_limited' | 'misconfigured' }
  | { readonly outcome: 'unknown'; readonly kind: 'transient' | 'bad_request' | 'protocol' };

/**
 * Classifies what a token request threw by what the issuer may have done with the refresh token.
 *
 * `sent` says whether the request was handed to the network. Whatever is not recognised is `unknown`: to call
 * a consumed token unused ends in reuse detection and a dead grant, the opposite mistake costs one recovery.
 */
export function classifyTokenError(
  error: unknown,
  sent: boolean,
  context: TokenErrorContext = {},
): TokenOutcome {
  const failure = describeFailure(error, context);
  const { retryAfterMs, cause } = failure;
  const meaning = meaningOfFailure(error, failure, sent, context.body !== undefined);
  const said = { error: failure.error, cause };
  if (meaning.outcome === 'rejected') return { ...meaning, ...said };
  return { ...meaning, ...said, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function meaningOfFailure(
  error: unknown,
  failure: RequestFailure,
  sent: boolean,
  answered: boolean,
): Meaning {
  const { status } = failure;
  if (isConfigurationFailure(error, sent)) return { outcome: 'notSent', kind: 'misconfigured' };
  if (!sent) return { outcome: 'notSent', kind: 'transient' };
  if (status === 429) return { outcome: 'notSent', kind: 'rate_limited' };
  // Whatever the body says: a transaction that rolls back can have consumed the token all the same.
  if (status !== undefined && (status >= 500 || status === 408))
    return { outcome: 'unknown', kind: 'transient' };
  const known = Object.hasOwn(meaningOf, failure.error) ? meaningOf[failure.error] : undefined;
  if (known !== undefined) return known;
  if (status !== undefined || answered) return { outcome: 'unknown', kind: 'protocol' };
  if (failedToConnect(error)) return { outcome: 'notSent', kind: 'transient' };
  return { outcome: 'unknown', kind: isNetworkFailure(error) ? 'transient' : 'protocol' };
}

/** Whether an OAuth error code says that the user must be asked, or must sign in more strongly. */
export function asksForStepUp(code: string): boolean {
  return Object.hasOwn(meaningOf, code) && meaningOf[code]?.kind === 'step_up_required';
}

/** Describes what a request to any endpoint of an issuer threw. */
export function describeFailure(error: unknown, context: TokenErrorContext = {}): RequestFailure {
  const response = responseOf(error);
  // What a server says while it fails is not believed.
  const code = (response?.status ?? 0) >= 500 ? undefined : oauthCodeOf(error, context.body);
  const platformCode = platformCodeOf(error);
  const statusCode = response === undefined ? undefined : `http_${response.status}`;
  const name = codeOf(error, 'name', /^[A-Za-z]{1,40}$/) ?? typeof error;
  const library = response?.ok === true ? platformCode : undefined;
  const said = safeErrorCode(code) ?? library ?? statusCode ?? platformCode ?? 'unexpected_error';
  const details = new Set(
    [name, platformCode, statusCode, said].filter((part) => part !== undefined),
  );
  return {
    status: response?.status,
    error: said,
    retryAfterMs: response && retryAfterMs(response.headers, context.now ?? Date.now()),
    cause: new Error(`request to the issuer failed: ${[...details].join(' ')}`),
  };
}

/**
 * An error code that came from outside, if it looks like one: registered codes are lower-case words joined by
 * underscores. Anything else could be prose, or an echo of what was sent.
 */
export function safeErrorCode(code: string | undefined): string | undefined {
  if (code === undefined) return undefined;
  return code.length <= 48 && /^[a-z]+(?:_[a-z]+)*$/.test(code) ? code : 'unrecognized_error';
}

/** Whether there was no response because the network failed or time ran out. */
export function isNetworkFailure(error: unknown): boolean {
  if (error instanceof ClientError)
    return (
      error.code === undefined || error.code === 'OAUTH_TIMEOUT' || error.code === 'OAUTH_ABORT'
    );
  return responseOf(error) === undefined;
}

function responseOf(error: unknown): Response | undefined {
  if (error instanceof ResponseBodyError || error instanceof WWWAuthenticateChallengeError)
    return error.response;
  return error instanceof ClientError && error.cause instanceof Response ? error.cause : undefined;
}

/** A 401 has two shapes: a challenge with or without the code in it, or a body. The body is the normative one. */
function oauthCodeOf(error: unknown, body: string | undefined): string | undefined {
  if (error instanceof ResponseBodyError) return error.error;
  const inBody = body === undefined ? undefined : errorCodeOf(body);
  if (inBody !== undefined || !(error instanceof WWWAuthenticateChallengeError)) return inBody;
  const inChallenge = error.cause.find(({ parameters }) => parameters.error !== undefined);
  return inChallenge?.parameters.error ?? (error.status === 401 ? 'invalid_client' : undefined);
}

/** RFC 9110 section 10.2.3. A date is measured against the issuer's own `Date`: the clocks may differ. */
function retryAfterMs(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse makes a date of almost anything; an HTTP date starts with the name of the day.
  const at = /^[A-Z][a-z]{2,8},? /.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) return undefined;
  const issuerNow = Date.parse(headers.get('date') ?? '');
  return Math.max(0, at - (Number.isNaN(issuerNow) ? now : issuerNow));
}

const beforeAnyRequest = new Set([
  'OAUTH_HTTP_REQUEST_FORBIDDEN',
  'OAUTH_REQUEST_PROTOCOL_FORBIDDEN',
  'OAUTH_MISSING_SERVER_METADATA',
  'OAUTH_INVALID_SERVER_METADATA',
]);

function isConfigurationFailure(error: unknown, sent: boolean): boolean {
  const code = codeOf(error, 'code') ?? '';
  return beforeAnyRequest.has(code) || (!sent && code.startsWith('ERR_INVALID_ARG'));
}

/**
 * Codes that exist only while a connection is being made. Not here: the TLS alerts about client certificates,
 * which in TLS 1.3 arrive after the request has left; and unreachable hosts and ETIMEDOUT, which an
 * established connection reports too (there the system call tells).
 */
const whileConnecting = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'HOSTNAME_MISMATCH',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
]);
/** OpenSSL's verdicts on the server's certificate. */
const certificateCode =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/;

function failedToConnect(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 4) return false;
  // One error an address that was tried: each of them must have failed to connect.
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.every((each: unknown) => failedToConnect(each, depth + 1));
  const systemCall = codeOf(error, 'syscall');
  if (systemCall === 'connect' || systemCall === 'getaddrinfo') return true;
  const code = codeOf(error, 'code') ?? '';
  if (whileConnecting.has(code) || certificateCode.test(code)) return true;
  return 'cause' in error && failedToConnect(error.cause, depth + 1);
}

/** The innermost code says most: `fetch failed` hides ECONNREFUSED. */
function platformCodeOf(error: unknown): string | undefined {
  let found: string | undefined;
  let current = error;
  for (let depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth += 1) {
    found = codeOf(current, 'code', /^[A-Z][A-Z0-9_/]{2,63}$/) ?? found;
    current = 'cause' in current ? current.cause : undefined;
  }
  return found;
}

function codeOf(
  error: unknown,
  field: 'code' | 'name' | 'syscall',
  shape = /^/,
): string | undefined {
  if (typeof error !== 'object' || error === null || !(field in error)) return undefined;
  const value = (error as Readonly<Record<string, unknown>>)[field];
  return typeof value === 'string' && shape.test(value) ? value : undefined;
}

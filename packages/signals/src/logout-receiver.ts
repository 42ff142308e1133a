import type { DirectorySubject } from '@outlive/core';
import { applyEvent } from './event-intake.ts';
import { eventTypes } from './event-types.ts';
import { readLimited } from './limited-body.ts';
import type { WebHandler } from './push-receiver.ts';
import { checkReceiver, type ReceiverOptions } from './receiver-options.ts';
import { problemReporter } from './receiver-problem.ts';
import { SetError } from './set-error.ts';
import { signingKeys } from './signing-keys.ts';
import { verifyToken } from './token-verification.ts';

/** Options of {@link createLogoutReceiver}: `issuer` is the OpenID provider, `audience` the client id there. */
export type LogoutReceiverOptions = Omit<ReceiverOptions, 'subjectIssuers'>;

const bodyLimitBytes = 65_536;

/**
 * Receives logout tokens (OpenID Connect Back-Channel Logout 1.0) where security events are not to be had.
 *
 * By default a logout has the gates asked again; map `eventTypes.backChannelLogout` to `pause` where leaving the
 * browser session must stop the tasks, too. A token that names only a session (`sid`) is about whoever was linked to
 * `{ directory: issuer, format: 'session', id: sid }`.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function createLogoutReceiver(options: LogoutReceiverOptions): WebHandler {
  checkReceiver({}, options, 'createLogoutReceiver');
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const keys = signingKeys({ ...options, fetch, metadata: 'openid-configuration' });
  const report = problemReporter(options);

  async function takeIn(token: string): Promise<void> {
    // Providers that predate the type send none, or JWT. What it says and what it must not say sets it apart.
    const types = ['logout+jwt', 'jwt', ''];
    const { claims, id, issuedAt, type, payload } = await verifyToken(token, keys, options, types);
    const wrong = (problem: string): SetError => new SetError('invalid_request', problem);
    if (type !== eventTypes.backChannelLogout) throw wrong('this is not a logout');
    if (typeof payload !== 'object' || payload === null || Object.keys(payload).length > 0)
      throw wrong('the event must be an empty object');
    if (claims.exp === undefined) throw wrong('exp is missing');
    if ('nonce' in claims) throw wrong('a logout token has no nonce');
    const { issuer } = options;
    const subjects: DirectorySubject[] = [];
    for (const [claim, format] of [
      ['sub', 'iss_sub'],
      ['sid', 'session'],
    ] as const) {
      const value = claims[claim];
      if (value === undefined) continue;
      if (typeof value !== 'string' || value === '') throw wrong(`${claim} is not a text`);
      subjects.push({ directory: issuer, format, id: value });
    }
    if (subjects.length === 0) throw wrong('neither sub nor sid says who logged out');
    const subject = { sub: claims.sub, sid: claims['sid'] };
    const event = { id, issuer, type, subject, payload: {}, occurredAt: issuedAt };
    await applyEvent(event, subjects, options);
  }

  return async (request) => {
    try {
      await takeIn(await tokenOf(request));
      return new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } });
    } catch (cause) {
      // Not told: anybody may send a token here, and whoever sent this one has the answer.
      if (cause instanceof SetError) return refusal(cause);
      // The store, or the provider's keys: nothing was applied, and the provider may try again.
      report({ kind: 'unavailable', message: 'a logout token could not be taken in', cause });
      return new Response(null, {
        status: 503,
        headers: { 'retry-after': '5', 'cache-control': 'no-store' },
      });
    }
  };
}

/** @throws {SetError} when the request is not one that carries a logout token. */
async function tokenOf(request: Request): Promise<string> {
  const type = request.headers.get('content-type') ?? '';
  if (request.method !== 'POST' || !/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type))
    throw new SetError('invalid_request', 'a logout token is sent as a form with POST');
  const body = await readLimited(request, bodyLimitBytes);
  if (body === undefined)
    throw new SetError('invalid_request', `the form is larger than ${bodyLimitBytes} bytes`);
  const [token, ...others] = new URLSearchParams(body).getAll('logout_token');
  if (token === undefined || others.length > 0)
    throw new SetError('invalid_request', 'the form must hold one logout_token');
  return token;
}

/** OpenID Connect Back-Channel Logout 1.0 section 2.8; it knows one error. */
function refusal({ message }: SetError): Response {
  return Response.json(
    { error: 'invalid_request', error_description: message },
    { status: 400, headers: { 'cache-control': 'no-store' } },
  );
}

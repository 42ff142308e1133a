import type { Secret } from '@outlive/core';
import * as z from 'zod';
import { createIntake, type SecurityEventOptions } from './event-intake.ts';
import { readLimited } from './limited-body.ts';
import { checkReceiver } from './receiver-options.ts';
import { problemReporter } from './receiver-problem.ts';
import { isSameSecret } from './same-secret.ts';
import { SetError } from './set-error.ts';

/** Options of {@link createPushReceiver}. */
export interface PushReceiverOptions extends SecurityEventOptions {
  /** The `Authorization` header that the transmitter sends, as it was given to it when the stream was set up. */
  readonly authorization: string | Secret;
}

/** A fetch-style handler: mount it where the web framework takes one. */
export type WebHandler = (request: Request) => Promise<Response>;

const tokenLimitBytes = 65_536;

/**
 * Receives security event tokens that a transmitter pushes (RFC 8935).
 *
 * The 202 is sent when the event has taken effect: it is durable, and every process was told. A token that is
 * refused for good gets a 400 that says why; where this app cannot take it in at the moment, a 503, and the
 * transmitter sends it again.
 *
 * @throws {ConfigurationError} naming every wrong option.
 */
export function createPushReceiver(options: PushReceiverOptions): WebHandler {
  const fields = {
    authorization: z.union([
      z.string().min(1),
      z.custom((value) => typeof (value as Partial<Secret> | null)?.reveal === 'function'),
    ]),
    onStreamEvent: z.custom((value) => typeof value === 'function').optional(),
  };
  checkReceiver(fields, options, 'createPushReceiver');
  const intake = createIntake(options);
  const report = problemReporter(options);
  const { authorization } = options;
  const expected = typeof authorization === 'string' ? authorization : authorization.reveal();

  return async (request) => {
    let token: string | undefined;
    try {
      token = await tokenOf(request, expected);
      await intake(token);
      return new Response(null, { status: 202 });
    } catch (cause) {
      if (cause instanceof SetError) {
        // Whoever does not know the credentials is not the transmitter, and could fill a log with this.
        if (token !== undefined) report({ kind: 'refused', message: cause.message, cause });
        return refusal(cause);
      }
      // The store, or the transmitter's keys. It is not lost: without an acknowledgement it is sent again.
      report({ kind: 'unavailable', message: 'a pushed token could not be taken in', cause });
      return new Response(null, { status: 503, headers: { 'retry-after': '5' } });
    }
  };
}

/** @throws {SetError} when the request is not one that carries a token. */
async function tokenOf(request: Request, authorization: string): Promise<string> {
  const given = request.headers.get('authorization') ?? '';
  if (!(await isSameSecret(given, authorization)))
    throw new SetError('authentication_failed', 'the credentials are missing or wrong');
  if (request.method !== 'POST') throw new SetError('invalid_request', 'a token is sent with POST');
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/secevent\+jwt\s*(;|$)/i.test(type))
    throw new SetError('invalid_request', 'the content type must be application/secevent+jwt');
  const token = await readLimited(request, tokenLimitBytes);
  if (token === undefined)
    throw new SetError('invalid_request', `the token is larger than ${tokenLimitBytes} bytes`);
  return token.trim();
}

/** RFC 8935 section 2.3. */
function refusal({ code, message }: SetError): Response {
  return Response.json(
    { err: code, description: message },
    { status: 400, headers: { 'content-language': 'en', 'cache-control': 'no-store' } },
  );
}

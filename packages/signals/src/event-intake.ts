import type { DirectorySubject } from '@outlive/core';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { checkPayload } from './event-payload.ts';
import { eventTypes } from './event-types.ts';
import { defaultReactions, reactionTo } from './reactions.ts';
import type { ReceiverOptions } from './receiver-options.ts';
import type { SecurityEvent } from './security-event.ts';
import { SetError } from './set-error.ts';
import { signingKeys } from './signing-keys.ts';
import { directorySubjects } from './subject-identifier.ts';
import { type VerifiedToken, verifyToken } from './token-verification.ts';

/** What a transmitter says about the stream itself (SSF 1.0 section 8.1.4, 8.1.5). */
export type StreamEvent =
  | { readonly type: 'verification'; readonly streamId: string; readonly state?: string }
  | {
      readonly type: 'stream-updated';
      readonly streamId: string;
      readonly status: 'enabled' | 'paused' | 'disabled';
      readonly reason?: string;
    };

/** Options of receivers of security event tokens, pushed or polled. */
export interface SecurityEventOptions extends ReceiverOptions {
  /**
   * Hears of verification, and of a stream that was paused or disabled: nothing is pushed then, and only gates that
   * are asked still find out. A throw leaves the event unacknowledged.
   */
  readonly onStreamEvent?: (event: StreamEvent) => void | Promise<void>;
}

/** Takes in one token: verifies it and applies its event. Resolves when that is durable. */
export type Intake = (token: string) => Promise<{ readonly id: string }>;

/**
 * Makes the intake of one stream: the same for pushed and polled tokens.
 *
 * The intake throws a {@link SetError} for a token that is refused for good; anything else that it throws means that
 * the token must be sent again.
 */
export function createIntake(options: SecurityEventOptions): Intake {
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const keys = signingKeys({ ...options, fetch, metadata: 'ssf-configuration' });
  return async (token) => {
    const event = await verifiedEvent(token, keys, options);
    const { id, issuer, type } = event;
    if (type === eventTypes.verification || type === eventTypes.streamUpdated) {
      const aboutStream = streamEventOf(event);
      await options.onStreamEvent?.(aboutStream);
      return { id };
    }
    const subjects = directorySubjects(event.subject, issuer);
    assertMaySpeakOf(subjects, options);
    await applyEvent(event, subjects, options);
    return { id };
  };
}

/** Lets an event take effect, once. Resolves when that is durable. */
export async function applyEvent(
  event: SecurityEvent,
  subjects: readonly DirectorySubject[],
  options: ReceiverOptions,
): Promise<void> {
  const action = reactionTo(event, { ...defaultReactions, ...options.reactions });
  if (action === 'ignore') return;
  const principals = await options.principals?.(subjects, event);
  await options.outlive.directory.receive({
    id: event.id,
    source: event.issuer,
    subjects,
    action,
    reason: event.type.replace(/^.*\//, ''),
    occurredAt: event.occurredAt,
    ...(principals === undefined ? {} : { principals }),
    ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
  });
}

/** A directory speaks of its own people, and of those whose issuers the app has named. */
export function assertMaySpeakOf(
  subjects: readonly DirectorySubject[],
  { issuer, subjectIssuers = [] }: ReceiverOptions,
): void {
  for (const { directory } of subjects)
    if (directory !== issuer && !subjectIssuers.includes(directory))
      throw new SetError(
        'access_denied',
        'the subject is of an issuer that is not to be spoken of',
      );
}

async function verifiedEvent(
  token: string,
  keys: JWTVerifyGetKey,
  options: SecurityEventOptions,
): Promise<SecurityEvent> {
  const verified = await verifyToken(token, keys, options, ['secevent+jwt']);
  const { claims, id, type } = verified;
  // SSF 1.0 section 4.1.7 and 4.1.1: with either of them it could pass for another kind of token.
  for (const claim of ['exp', 'sub'] as const)
    if (claims[claim] !== undefined)
      throw new SetError('invalid_request', `a security event token has no ${claim}`);
  const payload = checkPayload(type, verified.payload);
  const subject = claims['sub_id'] ?? payload['subject'];
  if (typeof subject !== 'object' || subject === null || Array.isArray(subject))
    throw new SetError('invalid_request', 'sub_id is missing or not an object');
  const { txn } = claims as JWTPayload & { readonly txn?: unknown };
  return {
    id,
    issuer: options.issuer,
    type,
    subject: subject as SecurityEvent['subject'],
    payload,
    occurredAt: occurredAt(payload, verified),
    ...(typeof txn === 'string' ? { transaction: txn } : {}),
  };
}

function occurredAt(
  payload: SecurityEvent['payload'],
  { issuedAt, latest }: VerifiedToken,
): number {
  const timestamp = payload['event_timestamp'];
  if (timestamp === undefined) return issuedAt;
  if (typeof timestamp !== 'number' || !(timestamp >= 0) || timestamp * 1000 > latest)
    throw new SetError('invalid_request', 'event_timestamp is not a date in the past');
  return timestamp * 1000;
}

function streamEventOf({ type, subject, payload }: SecurityEvent): StreamEvent {
  const { id } = subject;
  if (subject['format'] !== 'opaque' || typeof id !== 'string')
    throw new SetError('invalid_request', 'an event about a stream must name it');
  const { state, status, reason } = payload;
  if (type === eventTypes.verification)
    return {
      type: 'verification',
      streamId: id,
      ...(typeof state === 'string' ? { state } : {}),
    };
  return {
    type: 'stream-updated',
    streamId: id,
    status: status as 'enabled' | 'paused' | 'disabled',
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}

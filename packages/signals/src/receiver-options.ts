import {
  type Clock,
  checkOptions,
  type DirectorySubject,
  eventMemoryMs,
  isProtectedTransport,
  type Outlive,
  type Principal,
} from '@outlive/core';
import type { JSONWebKeySet } from 'jose';
import * as z from 'zod';
import { isReactionRule, type Reactions } from './reactions.ts';
import type { ReceiverProblem } from './receiver-problem.ts';
import type { SecurityEvent } from './security-event.ts';

/** What every receiver of events is told about who sends them and whom they are about. */
export interface ReceiverOptions {
  /** The runtime whose people the events are about. */
  readonly outlive: Pick<Outlive, 'directory'>;
  /** Issuer identifier of who signs the tokens. */
  readonly issuer: string;
  /** What must be in their `aud`: the receiver's name at the transmitter, or the client id. */
  readonly audience: string | readonly string[];
  /** The keys of who signs. Default: those that the issuer's metadata names. */
  readonly jwks?: JSONWebKeySet;
  readonly jwksUri?: string;
  /** Signature algorithms that are accepted. Default RS256, PS256, ES256 and EdDSA. */
  readonly algorithms?: readonly string[];
  /** Issuers whose subjects (`iss_sub`) it may speak of. Default: its own alone. */
  readonly subjectIssuers?: readonly string[];
  /** Tenant of the principals that carry the directory's own names. */
  readonly tenant?: string;
  /** Replaces single entries of `defaultReactions`. */
  readonly reactions?: Reactions;
  /** Principals that an event is about besides those that are linked. */
  readonly principals?: (
    subjects: readonly DirectorySubject[],
    event: SecurityEvent,
  ) => readonly Principal[] | Promise<readonly Principal[]>;
  /** Older tokens are refused, ms. At most, and by default, 7 days: for so long a token is known when it comes again. */
  readonly maxAgeMs?: number;
  /** How far the sender's clock may be ahead, ms. Default 60 000. */
  readonly clockToleranceMs?: number;
  readonly clock?: Clock;
  /** Hears of what failed or was refused. Default: a line on `console.error`. */
  readonly onProblem?: (problem: ReceiverProblem) => void;
  /** For keys and metadata. Default: the platform's, captured now. */
  readonly fetch?: typeof globalThis.fetch;
}

const text = z.string().min(1);
const fn = z.custom((value) => typeof value === 'function', 'expected a function');
const secureUrl = text.refine((value) => {
  const url = URL.parse(value);
  return url !== null && isProtectedTransport(url);
}, 'expected an https URL, or an http URL on loopback');

/** An `Authorization` header, or a function that makes one. */
export const credentialsSchema: z.ZodType = z.union(
  [text, fn],
  'expected an Authorization header, or a function that makes one',
);

const receiverFields = {
  outlive: z.custom(
    (value) => typeof (value as Partial<Outlive> | undefined)?.directory?.receive === 'function',
    'expected the runtime that createOutlive made',
  ),
  issuer: secureUrl,
  audience: z.union([text, z.array(text).min(1)]),
  jwks: z.looseObject({ keys: z.array(z.looseObject({})) }).optional(),
  jwksUri: secureUrl.optional(),
  algorithms: z
    .array(
      // With a shared secret or none at all anybody could have signed it.
      text.refine((name) => name !== 'none' && !name.startsWith('HS'), 'expected asymmetric ones'),
    )
    .min(1)
    .optional(),
  subjectIssuers: z.array(text).optional(),
  tenant: text.optional(),
  reactions: z
    .record(z.string(), z.custom(isReactionRule, 'expected a reaction or a function'))
    .optional(),
  principals: fn.optional(),
  maxAgeMs: z
    .number()
    .positive()
    .max(eventMemoryMs, `expected at most ${eventMemoryMs} ms: a token is known again for so long`)
    .optional(),
  clockToleranceMs: z.number().nonnegative().optional(),
  clock: z.custom((value) => typeof value === 'object' && value !== null).optional(),
  onProblem: fn.optional(),
  fetch: fn.optional(),
} as const;

/** A URL that credentials may be sent to. */
export const secureUrlSchema: z.ZodType<string> = secureUrl;

/** @throws {ConfigurationError} naming every wrong field by its path. */
export function checkReceiver(
  fields: Readonly<Record<string, z.ZodType>>,
  options: object,
  what: string,
): void {
  checkOptions(z.strictObject({ ...receiverFields, ...fields }), options, what);
}

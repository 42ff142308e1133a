import * as z from 'zod';
import { type DirectorySubject, directorySubjectSchema } from './directory-subject.ts';
import type { KeyedHash } from './keyed-hash.ts';
import type { Principal } from './principal.ts';
import { recordKey } from './record-key.ts';
import type { RecordIndex } from './store.ts';
import { principalSchema } from './validation.ts';

/**
 * What an event does to the grants of the people it is about: sets their state, as its source sees it; or has every
 * gate asked again.
 */
export type SubjectAction = 'pause' | 'revoke' | 'step_up' | 'reinstate' | 'recheck';

/** Something that a directory says has happened to a person. */
export interface SubjectEvent {
  /** Tells it from every other event of its source: the `jti` of a security event token. */
  readonly id: string;
  /** Who says so. */
  readonly source: string;
  /** The names that the directory gives the person. */
  readonly subjects: readonly DirectorySubject[];
  /** Principals that the receiver knows to be meant, besides those that are linked. */
  readonly principals?: readonly Principal[] | undefined;
  /** Tenant of the principal that carries the directory's own name for a person. */
  readonly tenant?: string | undefined;
  readonly action: SubjectAction;
  /** For people: what happened. */
  readonly reason?: string | undefined;
  /** Epoch ms at which it happened, as the source says. */
  readonly occurredAt: number;
}

/** An event as it was received. */
export interface ReceivedEvent extends SubjectEvent {
  /** `pending` until it is applied to everybody it is about. */
  readonly status: 'pending' | 'applied' | 'unmatched' | 'dismissed';
  /** Epoch ms. */
  readonly receivedAt: number;
}

const text = z.string().min(1);

/** An event as callers pass it. */
export const subjectEventSchema: z.ZodType<SubjectEvent> = z.strictObject({
  id: text,
  source: text,
  subjects: z.array(directorySubjectSchema),
  principals: z.array(principalSchema).optional(),
  tenant: text.optional(),
  action: z.enum(['pause', 'revoke', 'step_up', 'reinstate', 'recheck']),
  reason: text.optional(),
  occurredAt: z.number(),
});

/** Where an event is kept. The same event has the same key, however often it arrives. */
export async function eventKey(
  hash: KeyedHash,
  event: Pick<SubjectEvent, 'id' | 'source'>,
): Promise<string> {
  const id = await hash.hash('match', JSON.stringify(['event', event.source, event.id]));
  return recordKey('event', undefined, id);
}

/** What a store may search an event by. */
export function eventIndex(event: ReceivedEvent, dueAt?: number): RecordIndex {
  return { kind: 'event', status: event.status, ...(dueAt === undefined ? {} : { dueAt }) };
}

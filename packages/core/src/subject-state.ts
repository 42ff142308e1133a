import * as z from 'zod';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import { recordKey } from './record-key.ts';
import type { Runtime } from './runtime.ts';
import type { UserState } from './user-state.ts';
import { checked, principalSchema } from './validation.ts';

/** A state that somebody pushed. It holds until somebody pushes another one. */
interface SubjectRecord {
  readonly state: UserState;
  readonly source: string;
  readonly reason?: string;
  /** Epoch ms. */
  readonly at: number;
}

/** What an app reports about a person, e.g. from a directory's webhook. */
export interface UserStateReport {
  readonly state: 'active' | 'paused' | 'revoked' | 'step_up';
  /** Who says so. */
  readonly source: string;
  readonly reason?: string;
}

const text = z.string().min(1);
const reportSchema = z.strictObject({
  state: z.enum(['active', 'paused', 'revoked', 'step_up']),
  source: text,
  reason: text.optional(),
});

/**
 * Stores a pushed state and tells every process. Resolves, with the keyed hash of the principal, when it is durable.
 *
 * @throws {ConfigurationError} when a field is wrong: a state that nobody knows would stop nobody.
 */
export async function reportUserState(
  runtime: Runtime,
  principal: Principal,
  report: UserStateReport,
): Promise<string> {
  checked(principalSchema, principal, 'reportUserState: principal');
  checked(reportSchema, report, 'reportUserState');
  const { records, clock, keyedHash, feed, userStates } = runtime;
  const subject = await principalId(keyedHash, principal);
  const key = subjectKey(principal, subject);
  const value: SubjectRecord = { ...report, at: clock.now() };
  for (;;) {
    const version = await records.version(key);
    // Due until what the person's tasks work with was revoked: this process may die before it has done that.
    const due = report.state === 'revoked' ? { dueAt: clock.now() } : {};
    const index = { kind: 'subject', status: report.state, subject, ...due } as const;
    if (await records.swap(key, version, value, index)) break;
  }
  userStates.hear(subject);
  await feed.publish({ kind: 'subject', id: subject });
  return subject;
}

/** The pushed state of a person, if there is one. */
export async function reportedUserState(
  runtime: Pick<Runtime, 'records' | 'keyedHash'>,
  principal: Principal,
): Promise<UserState | undefined> {
  const subject = await principalId(runtime.keyedHash, principal);
  const found = await runtime.records.get<SubjectRecord>(subjectKey(principal, subject));
  return found?.value.state;
}

function subjectKey(principal: Principal, subject: string): string {
  return recordKey('subject', principal.tenant, subject);
}

import * as z from 'zod';
import type { UserState } from './gate.ts';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import { recordKey } from './record-key.ts';
import type { Runtime } from './runtime.ts';
import { checked, principalSchema } from './validation.ts';
import { mostRestrictive, restrictiveness, type Verdict } from './verdict.ts';

/** What each source has pushed about a person. It holds until the same source pushes something else. */
interface SubjectRecord {
  readonly reports: Readonly<Record<string, PushedState>>;
}

interface PushedState {
  readonly state: UserState;
  readonly reason?: string;
  /** Epoch ms at which it became true, as the source says. */
  readonly at: number;
}

/** What an app reports about a person, e.g. from a directory's webhook. */
export interface UserStateReport {
  readonly state: 'active' | 'paused' | 'revoked' | 'step_up';
  /** Who says so. Each source speaks for itself: one that says `active` does not lift what another one said. */
  readonly source: string;
  readonly reason?: string;
  /**
   * Epoch ms at which it became true. Default now. What became true before the source's last report changes nothing:
   * messages may overtake each other.
   */
  readonly at?: number;
}

const text = z.string().min(1);
const reportSchema = z.strictObject({
  state: z.enum(['active', 'paused', 'revoked', 'step_up']),
  source: text,
  reason: text.optional(),
  at: z.number().optional(),
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
  const { records, clock, keyedHash } = runtime;
  const { source, ...said } = report;
  const pushed: PushedState = { ...said, at: report.at ?? clock.now() };
  const subject = await principalId(keyedHash, principal);
  const key = subjectKey(principal, subject);
  for (;;) {
    const found = await records.get<SubjectRecord>(key);
    const reports = found?.value.reports ?? {};
    if (isOvertaken(pushed, reports[source])) break;
    const value: SubjectRecord = { reports: { ...reports, [source]: pushed } };
    const version = found?.version ?? (await records.version(key));
    const { state } = verdictOf(value);
    // Due until what the person's tasks work with was revoked: this process may die before it has done that.
    const due = state === 'revoked' ? { dueAt: clock.now() } : {};
    const index = { kind: 'subject', status: state, subject, ...due } as const;
    if (await records.swap(key, version, value, index)) break;
  }
  await recheckSubject(runtime, subject);
  return subject;
}

/** Makes every process ask again about a person before it hands anything out. `subject` is the keyed hash. */
export async function recheckSubject(runtime: Runtime, subject: string): Promise<void> {
  runtime.userStates.hear(subject);
  await runtime.feed.publish({ kind: 'subject', id: subject });
}

/** The most restrictive of the states that were pushed for a person, if there is one. */
export async function reportedUserState(
  runtime: Pick<Runtime, 'records' | 'keyedHash'>,
  principal: Principal,
): Promise<Verdict | undefined> {
  const subject = await principalId(runtime.keyedHash, principal);
  const found = await runtime.records.get<SubjectRecord>(subjectKey(principal, subject));
  return found === undefined ? undefined : verdictOf(found.value);
}

/** Of two reports for the same instant the one that forbids more holds: dates of events are often whole seconds. */
function isOvertaken(pushed: PushedState, known: PushedState | undefined): boolean {
  if (known === undefined || pushed.at > known.at) return false;
  if (pushed.at < known.at) return true;
  return restrictiveness[pushed.state] < restrictiveness[known.state];
}

function verdictOf({ reports }: SubjectRecord): Verdict {
  return mostRestrictive(Object.entries(reports).map(([source, { state }]) => ({ state, source })));
}

function subjectKey(principal: Principal, subject: string): string {
  return recordKey('subject', principal.tenant, subject);
}

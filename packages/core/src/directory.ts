import { signalStream, subjectStream } from './audit-streams.ts';
import { type DirectorySubject, directorySubjectSchema } from './directory-subject.ts';
import { ConfigurationError } from './errors.ts';
import type { Principal } from './principal.ts';
import { principalId } from './principal-id.ts';
import { type Runtime, stamped } from './runtime.ts';
import {
  eventIndex,
  eventKey,
  type ReceivedEvent,
  type SubjectAction,
  type SubjectEvent,
  subjectEventSchema,
} from './subject-event.ts';
import { changeLink, linkedPrincipals } from './subject-links.ts';
import { recheckSubject, reportUserState } from './subject-state.ts';
import { checked, principalSchema } from './validation.ts';

/** What became of an event. `known`: it came before, and nothing was done again. */
export interface EventReceipt {
  readonly status: 'applied' | 'unmatched' | 'known';
  /** The principals it was applied to that this app holds something for. */
  readonly principals: readonly Principal[];
}

/** How long an event is remembered, so that the same one is not applied again, ms. Older ones are not to be accepted. */
export const eventMemoryMs: number = 7 * 24 * 3_600_000;

/** Another process goes on with an event whose receiver died half way, after this time. */
const pendingGraceMs = 10_000;

const stateAfter: Readonly<
  Record<Exclude<SubjectAction, 'recheck'>, 'active' | 'paused' | 'revoked' | 'step_up'>
> = { pause: 'paused', revoke: 'revoked', step_up: 'step_up', reinstate: 'active' };

/** What directories say about people: whose word is about whose grants, and what has come of it. */
export class Directory {
  readonly #runtime: () => Runtime;

  constructor(runtime: () => Runtime) {
    this.#runtime = runtime;
  }

  /**
   * Says that a directory's subject is this principal, who may hold grants elsewhere. Events about the subject that
   * came before, and matched nobody, are applied now.
   *
   * @throws {ConfigurationError} when a field is wrong.
   */
  async link(subject: DirectorySubject, principal: Principal): Promise<void> {
    checked(directorySubjectSchema, subject, 'directory.link: subject');
    checked(principalSchema, principal, 'directory.link: principal');
    await changeLink(this.#runtime(), subject, principal, 'link');
    const waiting: ReceivedEvent[] = [];
    for await (const event of this.unmatched())
      if (event.subjects.some((known) => isSame(known, subject))) waiting.push(event);
    for (const event of waiting.toSorted((one, other) => one.occurredAt - other.occurredAt))
      await this.#apply(event);
  }

  /** Takes a link back. States that were applied through it stay. @throws {ConfigurationError} */
  async unlink(subject: DirectorySubject, principal: Principal): Promise<void> {
    checked(directorySubjectSchema, subject, 'directory.unlink: subject');
    checked(principalSchema, principal, 'directory.unlink: principal');
    await changeLink(this.#runtime(), subject, principal, 'unlink');
  }

  /**
   * Takes in an event, once. Resolves when it is durable and every process was told: only then tell the sender so.
   *
   * Applied to the principals that are linked to its subjects, and to the one that carries the directory's own name
   * (`iss_sub`). An event about nobody this app holds a grant for is kept, see {@link Directory.unmatched}.
   *
   * @throws {ConfigurationError} when a field is wrong.
   */
  async receive(event: SubjectEvent): Promise<EventReceipt> {
    checked(subjectEventSchema, event, 'directory.receive');
    const { records, clock, keyedHash } = this.#runtime();
    const key = await eventKey(keyedHash, event);
    const received: ReceivedEvent = { ...event, status: 'pending', receivedAt: clock.now() };
    for (;;) {
      const found = await records.get<ReceivedEvent>(key);
      // Whoever received it first may have died before it was applied: doing it again changes nothing.
      if (found?.value.status === 'pending') return this.#apply(found.value);
      if (found !== undefined) return { status: 'known', principals: [] };
      const index = eventIndex(received, clock.now() + pendingGraceMs);
      const version = await records.version(key);
      if (await records.swap(key, version, received, index)) return this.#apply(received);
    }
  }

  /**
   * Events about people that this app holds nothing for, and that nobody has linked or dismissed; kept for
   * `policy.retention.unmatchedEventsMs`.
   */
  async *unmatched(): AsyncIterable<ReceivedEvent> {
    const { records } = this.#runtime();
    for await (const { key } of records.list({ kind: 'event', status: 'unmatched' })) {
      const found = await records.get<ReceivedEvent>(key);
      if (found?.value.status === 'unmatched') yield found.value;
    }
  }

  /** Says that an unmatched event is about nobody of this app. @throws {ConfigurationError} when there is no such event. */
  async dismiss(event: Pick<SubjectEvent, 'id' | 'source'>, by: string): Promise<void> {
    const { keyedHash, records } = this.#runtime();
    const found = await records.get<ReceivedEvent>(await eventKey(keyedHash, event));
    if (found?.value.status !== 'unmatched')
      throw new ConfigurationError(
        'directory.dismiss: id: expected the id of an unmatched event of this source',
        ['id'],
      );
    await this.#settle(found.value, 'dismissed', by);
  }

  /** @internal Goes on with an event that was not applied, and forgets one that is old. Part of maintenance. */
  async lookAfter(event: ReceivedEvent): Promise<void> {
    if (event.status === 'pending') {
      await this.#apply(event);
      return;
    }
    const { records, keyedHash } = this.#runtime();
    const key = await eventKey(keyedHash, event);
    const found = await records.get<ReceivedEvent>(key);
    // A link may have been made meanwhile: then it is no longer this that is to be forgotten.
    if (found?.value.status !== event.status) return;
    const forgotten = await records.swap(key, found.version, null, { kind: 'event' });
    if (forgotten && event.status === 'unmatched') this.#tell(event, 'forgotten');
  }

  async #apply(event: ReceivedEvent): Promise<EventReceipt> {
    const runtime = this.#runtime();
    const known: Principal[] = [];
    for (const { principal, isMeant } of await this.#meant(event)) {
      const subject = await principalId(runtime.keyedHash, principal);
      await this.#applyTo(principal, subject, event);
      if (isMeant || (await this.#holdsSomething(subject))) known.push(principal);
    }
    const status = known.length > 0 ? 'applied' : 'unmatched';
    await this.#settle(event, status);
    // Somebody may have linked it meanwhile, and not have found it among the unmatched ones yet.
    if (status === 'unmatched' && (await this.#meant(event)).some(({ isMeant }) => isMeant))
      return this.#apply(event);
    return { status, principals: known };
  }

  async #applyTo(principal: Principal, subject: string, event: ReceivedEvent): Promise<void> {
    const runtime = this.#runtime();
    const { action, source, reason, occurredAt } = event;
    runtime.audit.record(
      subjectStream(subject),
      stamped(runtime, {
        type: 'signal-received',
        principal: subject,
        outcome: action,
        reason: `${source}: ${reason ?? action}`,
      }),
    );
    if (action === 'recheck') return recheckSubject(runtime, subject);
    await reportUserState(runtime, principal, {
      state: stateAfter[action],
      source,
      ...(reason === undefined ? {} : { reason }),
      at: occurredAt,
    });
  }

  /** Everybody an event may be about. The directory's own name is kept to also where nobody carries it yet. */
  async #meant(
    event: SubjectEvent,
  ): Promise<readonly { readonly principal: Principal; readonly isMeant: boolean }[]> {
    const found = new Map<string, { principal: Principal; isMeant: boolean }>();
    const add = (principal: Principal, isMeant: boolean): void => {
      const { issuer, subject, tenant } = principal;
      const name = JSON.stringify([issuer, subject, tenant]);
      found.set(name, { principal, isMeant: isMeant || found.get(name)?.isMeant === true });
    };
    for (const principal of event.principals ?? []) add(principal, true);
    for (const subject of event.subjects) {
      for (const principal of await linkedPrincipals(this.#runtime(), subject))
        add(principal, true);
      const { directory, format, id } = subject;
      const tenant = event.tenant === undefined ? {} : { tenant: event.tenant };
      if (format === 'iss_sub') add({ issuer: directory, subject: id, ...tenant }, false);
    }
    return [...found.values()];
  }

  async #holdsSomething(subject: string): Promise<boolean> {
    const { records } = this.#runtime();
    for await (const _grant of records.list({ kind: 'grant', subject })) return true;
    return false;
  }

  async #settle(event: ReceivedEvent, status: ReceivedEvent['status'], by?: string): Promise<void> {
    const runtime = this.#runtime();
    const { records, keyedHash, clock, policy } = runtime;
    const key = await eventKey(keyedHash, event);
    const found = await records.get<ReceivedEvent>(key);
    if (found === undefined || found.value.status === status) return;
    const next: ReceivedEvent = { ...found.value, status };
    const keptMs = status === 'unmatched' ? policy.retention.unmatchedEventsMs : eventMemoryMs;
    const dueAt = keptMs === undefined ? undefined : clock.now() + keptMs;
    // Lost to another process that settles the same event: then it is settled.
    const settled = await records.swap(key, found.version, next, eventIndex(next, dueAt));
    if (settled && status !== 'applied') this.#tell(event, status, by);
  }

  #tell({ source, reason, action }: ReceivedEvent, outcome: string, by?: string): void {
    const runtime = this.#runtime();
    runtime.audit.record(
      signalStream(source),
      stamped(runtime, {
        type: 'signal-unmatched',
        outcome,
        ...(by === undefined ? {} : { by }),
        reason: `${source}: ${reason ?? action}`,
      }),
    );
  }
}

function isSame(one: DirectorySubject, other: DirectorySubject): boolean {
  return one.directory === other.directory && one.format === other.format && one.id === other.id;
}

import type { AuditEvent } from './audit-event.ts';
import { taskStream } from './audit-streams.ts';
import type { CallOutcome, CallRecord, LedgerEntry } from './call-record.ts';
import { canonicalJson } from './canonical-json.ts';
import { AuthError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import { type Requirement, resourceName } from './requirement.ts';
import type { Runtime } from './runtime.ts';
import type { TaskIdentity } from './task-record.ts';
import type { TicketName, Tickets } from './tickets.ts';

/** One tool call as the framework made it. */
export interface CallInvocation {
  readonly requirement: Requirement;
  readonly toolName: string;
  readonly toolCallId: string;
  /** JSON data. Only a keyed hash of it is kept. */
  readonly input: unknown;
  /**
   * Set for a call that the conversation says a person approved. It runs once: if this person's runs `asked` for the
   * approval, or if the app has verified a signature of its own on the request (`signed`).
   */
  readonly approval?: 'asked' | 'signed';
}

/** Where a call's entry is kept, and for which run. */
export interface EntryContext {
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly tickets: Tickets;
  readonly runId: string;
  /** This run, in this process, this time: what a resumed call is reserved for. */
  readonly holder: string;
  readonly task: () => TaskIdentity;
  /** Whether this call continues a paused run, and so may only run as it was asked for then. */
  readonly resumed: boolean;
  readonly audit: (event: Omit<AuditEvent, 'at' | 'process' | 'taskId'>) => void;
}

/** One call's place in the ledger and in the audit log. */
export class CallEntry {
  readonly #context: EntryContext;
  readonly #invocation: CallInvocation;
  #outcome: CallOutcome | undefined;

  constructor(context: EntryContext, invocation: CallInvocation) {
    this.#context = context;
    this.#invocation = invocation;
  }

  /** What is known; `undefined` while nothing is. */
  view(refusal: AuthError | undefined): LedgerEntry | undefined {
    if (this.#outcome === undefined) return undefined;
    const { toolCallId, toolName } = this.#invocation;
    return {
      toolCallId,
      toolName,
      ...this.#needs(),
      outcome: this.#outcome,
      ...(refusal === undefined ? {} : { code: refusal.code }),
      ...(refusal?.ref === undefined ? {} : { pauseId: refusal.ref }),
    };
  }

  /** A resumed call must be the one that was refused, reserved for this run: same tool, input, requirement, principal. */
  async admit(): Promise<AuthError | undefined> {
    const { ledger, holder } = this.#context;
    const match = await this.#match();
    const found = await ledger.get(this.#reference());
    if (found?.value.status !== 'resuming' || found.value.holder !== holder)
      return new AuthError('not_resumable', { reason: found?.value.status ?? 'unknown call' });
    return found.value.match === match
      ? undefined
      : new AuthError('not_resumable', { reason: 'not the call that was paused' });
  }

  /** Takes down that the app asks a person about this call before it runs. @throws {AuthError} `store_unavailable`. */
  async ask(): Promise<void> {
    await this.#context.tickets.issue(await this.#approval());
  }

  /** An approved call must be one that was asked about, and runs once: conversations come from browsers, and twice. */
  async admitApproved(): Promise<AuthError | undefined> {
    const unissued = this.#invocation.approval === 'signed';
    return (await this.#context.tickets.use(await this.#approval(), { unissued }))
      ? undefined
      : new AuthError('not_resumable', { reason: 'no approval waits for the call' });
  }

  /**
   * Makes a status durable.
   *
   * @throws {AuthError} `not_resumable` when another run has reserved the call; `outcome_unknown` when it may have
   * had its effect already; `store_unavailable`; `audit_unavailable`.
   */
  async write(
    status: 'started' | 'suspended' | CallOutcome,
    refusal: AuthError | undefined,
  ): Promise<void> {
    const { ledger, runId, holder, runtime, resumed } = this.#context;
    const { toolCallId, toolName } = this.#invocation;
    const match = await this.#match();
    const because = {
      ...(refusal === undefined ? {} : { code: refusal.code }),
      ...(refusal?.ref === undefined ? {} : { pauseId: refusal.ref }),
    };
    // On its way to the audit log while the ledger is written: what a resource sees of a call, the log tells.
    const recorded = status === 'started' ? this.#recordStart() : undefined;
    const writing = ledger.change(this.#reference(), (current): CallRecord | undefined => {
      // What may have happened stays so until a person says otherwise: that a run is refused now proves nothing.
      if (current?.status === 'unknown' && status === 'started')
        throw new AuthError('outcome_unknown', { reason: toolCallId });
      if (current?.status === 'unknown' && status === 'refused') return undefined;
      // Of two runs that resume this call, the one that reserved it may start it; the other finds it taken.
      const isDone = current?.status === 'done' && current.match === match;
      const taken =
        current?.status === 'started' ||
        current?.status === 'resuming' ||
        current?.status === 'declined' ||
        isDone;
      const mine = current?.holder === holder || (!resumed && !taken);
      if (!mine && status === 'started')
        throw new AuthError('not_resumable', {
          reason: isDone ? 'the call is done' : 'reserved by another run',
        });
      if (!mine && (status === 'refused' || status === 'suspended')) return undefined;
      const again = status === 'started' || current === undefined ? 1 : 0;
      return {
        taskId: this.#context.task().id,
        toolCallId,
        toolName,
        ...this.#needs(),
        match,
        status,
        runId,
        holder,
        attempt: (current?.attempt ?? 0) + again,
        at: runtime.clock.now(),
        ...because,
      };
    });
    const [written] = await Promise.all([writing, recorded]);
    if (status === 'suspended') this.#audit({ type: 'tool-call-settled', outcome: 'suspended' });
    else if (status !== 'started')
      this.note(written?.status === 'unknown' ? 'unknown' : status, because);
  }

  /** What became of a call that leaves no record anybody waits for: it is in the audit log only. */
  note(outcome: CallOutcome, because: Partial<AuditEvent> = {}): void {
    this.#outcome = outcome;
    this.#audit({ type: 'tool-call-settled', outcome, ...because });
  }

  /** The resource refused a token; whether the next one helps is not known yet. */
  noteRejected(generation: number): void {
    this.#audit({ type: 'token-rejected', generation });
  }

  /** The refusal holds, but its entry could not be written: the call cannot be resumed, which is the safe side. */
  noteUnwritten(error: unknown): void {
    this.#outcome ??= 'refused';
    const reason = error instanceof Error ? error.message : String(error);
    this.#audit({ type: 'tool-call-settled', outcome: 'not recorded', reason });
  }

  /** Resolves when the log has it, or will not have it for now and need not. */
  async #recordStart(): Promise<void> {
    const { audit } = this.#context.runtime;
    this.#audit({ type: 'tool-call-started' });
    await audit.stored(taskStream(this.#context.task().id));
    if (audit.obstacle !== undefined)
      throw new AuthError('audit_unavailable', { reason: audit.obstacle });
  }

  #audit(event: Omit<AuditEvent, 'at' | 'process' | 'taskId'>): void {
    const { toolCallId, toolName } = this.#invocation;
    const { runId } = this.#context;
    this.#context.audit({ runId, toolCallId, toolName, ...this.#needs(), ...event });
  }

  #needs(): Pick<LedgerEntry, 'resource' | 'scopes' | 'effect'> {
    const { requirement } = this.#invocation;
    const { scopes, effect } = requirement;
    return { resource: resourceName(requirement), scopes, effect };
  }

  #reference(): { task: TaskIdentity; runId: string; toolCallId: string } {
    const { runId } = this.#context;
    return { task: this.#context.task(), runId, toolCallId: this.#invocation.toolCallId };
  }

  async #approval(): Promise<TicketName> {
    const parts = [this.#invocation.toolCallId, await this.#match()];
    return { task: this.#context.task(), purpose: 'approved call', parts };
  }

  #match(): Promise<string> {
    const { requirement, toolName, input } = this.#invocation;
    const { subject } = this.#context.task();
    const what = [toolName, resourceName(requirement), requirement.scopes.toSorted(), subject];
    return this.#context.runtime.keyedHash.hash('match', canonicalJson([...what, input]));
  }
}

import type { AuditEvent } from './audit-event.ts';
import type { BearerToken, CallAuthority, RefusalOptions } from './call-authority.ts';
import type { CallOutcome, CallRecord, LedgerEntry } from './call-record.ts';
import { canonicalJson } from './canonical-json.ts';
import { AuthError } from './errors.ts';
import type { AccessTokenSlot } from './grant-record.ts';
import type { Ledger } from './ledger.ts';
import type { Pause, PauseReason } from './pause-record.ts';
import type { PrincipalHandle } from './principal.ts';
import { createPrincipalFetch } from './principal-fetch.ts';
import { createPrincipalHandle } from './principal-handle.ts';
import { authErrorOf, opensPause, pauseReason } from './refusal.ts';
import { type Requirement, resourceName } from './requirement.ts';
import type { Runtime } from './runtime.ts';
import type { TaskAuthority } from './task-authority.ts';
import type { TaskRecord } from './task-record.ts';

/** One tool call as the framework made it. */
export interface CallInvocation {
  readonly requirement: Requirement;
  readonly toolName: string;
  readonly toolCallId: string;
  /** JSON data. Only a keyed hash of it is kept. */
  readonly input: unknown;
}

/** What a guarded call needs of the run it belongs to. */
export interface CallContext {
  readonly runtime: Runtime;
  readonly ledger: Ledger;
  readonly authority: TaskAuthority;
  readonly runId: string;
  /** This run, in this process, this time: what a resumed call is reserved for. */
  readonly holder: string;
  readonly task: () => TaskRecord;
  /** Whether this call continues a paused run, and so may only run as it was asked for then. */
  readonly resumed: boolean;
  readonly pause: (reason: PauseReason, call: CallInvocation) => Promise<Pause | undefined>;
  readonly refused: (call: CallInvocation, error: AuthError) => void;
  readonly audit: (event: Omit<AuditEvent, 'at' | 'process' | 'taskId'>) => void;
}

/** One credentialed tool call: its principal, its place in the ledger, and what became of it. */
export class GuardedCall {
  readonly principal: PrincipalHandle;
  /** Resolves to the error if the call may not run at all. Check it before executing the tool. */
  readonly admission: Promise<AuthError | undefined> | undefined;
  readonly #context: CallContext;
  readonly #invocation: CallInvocation;
  #started: Promise<void> | undefined;
  #hasStarted = false;
  #answered = false;
  #lost = false;
  #refusal: AuthError | undefined;
  #refusing: Promise<AuthError> | undefined;
  #outcome: CallOutcome | undefined;

  constructor(context: CallContext, invocation: CallInvocation, idempotencyKey: string) {
    this.#context = context;
    this.#invocation = invocation;
    this.principal = createHandle(context, invocation, idempotencyKey, this.#port());
    this.admission = context.resumed ? this.#admit() : undefined;
  }

  /** What is known about this call; `undefined` when it neither asked for authority nor was refused any. */
  get entry(): LedgerEntry | undefined {
    const { requirement, toolCallId, toolName } = this.#invocation;
    if (this.#outcome === undefined) return undefined;
    return {
      toolCallId,
      toolName,
      resource: resourceName(requirement),
      scopes: requirement.scopes,
      effect: requirement.effect,
      outcome: this.#outcome,
      ...(this.#refusal === undefined ? {} : { code: this.#refusal.code }),
      ...(this.#refusal?.ref === undefined ? {} : { pauseId: this.#refusal.ref }),
    };
  }

  /**
   * Takes note of what the tool did. Resolves to the AuthError if the call was refused, also when the tool
   * swallowed it: the adapter then throws it instead of passing on the tool's own answer.
   *
   * @throws {AuthError} when the outcome could not be made durable.
   */
  async settle(end: {
    readonly ok: boolean;
    readonly error?: unknown;
  }): Promise<AuthError | undefined> {
    await this.#refusing;
    const found = this.#refusal ?? AuthError.find(end.error);
    if (found !== undefined && this.#refusal === undefined) await this.#refuse(found, {});
    const read = this.#invocation.requirement.effect === 'read';
    if (this.#refusal !== undefined) {
      // Part of what the call was to do has happened, or may have: running it again could do it twice.
      if (!read && (this.#answered || this.#lost)) await this.#write('unknown');
      return this.#refusal;
    }
    if (!this.#hasStarted && !this.#answered && !this.#lost) return undefined;
    const outcome = this.#lost && !end.ok ? 'unknown' : 'done';
    if (read) this.#note(outcome);
    else await this.#write(outcome);
    return undefined;
  }

  #port(): CallAuthority {
    const { authority } = this.#context;
    const { requirement } = this.#invocation;
    const guarded = async (wait: Promise<AccessTokenSlot>): Promise<BearerToken> => {
      try {
        return bearer(await wait);
      } catch (error) {
        throw await this.#refuse(authErrorOf(error), {});
      }
    };
    return {
      acquire: () => {
        const held = authority.peek(requirement);
        return held === undefined ? guarded(authority.token(requirement)) : bearer(held);
      },
      renew: (failed) =>
        guarded(authority.token(requirement, { rejectedGeneration: failed.generation })),
      refuse: (code, options) => this.#refuse(new AuthError(code, options), options),
      beforeSend: () => (requirement.effect === 'read' ? undefined : this.#start()),
      afterSend: (outcome) => {
        if (outcome === 'answered') this.#answered = true;
        if (outcome === 'unknown') this.#lost = true;
      },
    };
  }

  /** A resumed call must be the one that was refused: same tool, input, requirement and principal. */
  async #admit(): Promise<AuthError | undefined> {
    const { ledger, runId, holder } = this.#context;
    const { toolCallId } = this.#invocation;
    let error: AuthError | undefined;
    try {
      const match = await this.#match();
      const found = await ledger.get({ task: this.#context.task(), runId, toolCallId });
      if (found?.value.status !== 'resuming' || found.value.holder !== holder)
        error = new AuthError('not_resumable', { reason: found?.value.status ?? 'unknown call' });
      else if (found.value.match !== match)
        error = new AuthError('not_resumable', { reason: 'not the call that was paused' });
    } catch (cause) {
      error = authErrorOf(cause);
    }
    return error === undefined ? undefined : this.#refuse(error, {});
  }

  /** Makes the call's entry durable, once, before the first byte of a non-read call leaves. */
  #start(): Promise<void> | undefined {
    if (this.#hasStarted) return undefined;
    this.#started ??= this.#write('started').then(
      () => {
        this.#hasStarted = true;
      },
      async (error: unknown) => {
        this.#started = undefined;
        throw await this.#refuse(authErrorOf(error), {});
      },
    );
    return this.#started;
  }

  /** Pauses the task, notes the refusal, and gives the error its reference. All of it before anybody is told. */
  #refuse(error: AuthError, options: RefusalOptions): Promise<AuthError> {
    this.#refusing ??= this.#recordRefusal(error, options);
    return this.#refusing;
  }

  async #recordRefusal(error: AuthError, options: RefusalOptions): Promise<AuthError> {
    let ref = error.ref;
    let cause: unknown = error;
    if (opensPause(error)) {
      try {
        const pause = await this.#context.pause(pauseReason(error, options), this.#invocation);
        ref = pause?.id;
      } catch (failure) {
        // The store is down: the run stops all the same, and says so; the task's own deadline still holds.
        cause = new AggregateError([error, failure], 'the pause could not be recorded');
      }
    }
    const refusal = new AuthError(error.code, {
      ref,
      detail: error.detail,
      reason: error.reason,
      retryAfterMs: error.retryAfterMs,
      cause,
    });
    this.#refusal = refusal;
    this.#context.refused(this.#invocation, refusal);
    if (error.code !== 'not_resumable') await this.#writeRefusal(refusal);
    this.#outcome ??= 'refused';
    return refusal;
  }

  async #writeRefusal(refusal: AuthError): Promise<void> {
    const partly = this.#answered || this.#lost;
    const read = this.#invocation.requirement.effect === 'read';
    try {
      await this.#write(partly && !read ? 'unknown' : 'refused', refusal);
    } catch (error) {
      // Without this entry the call cannot be resumed, which is the safe side; the refusal itself must still
      // reach the loop.
      this.#audit('tool-call-settled', {
        outcome: 'not recorded',
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  async #write(status: 'started' | CallOutcome, refusal = this.#refusal): Promise<void> {
    const { ledger, runId, holder, runtime, resumed } = this.#context;
    const task = this.#context.task();
    const { toolCallId, toolName, requirement } = this.#invocation;
    const match = await this.#match();
    await ledger.change({ task, runId, toolCallId }, (current) => {
      // Of two runs that resume this call, the one that reserved it may start it; the other finds it taken.
      const mine = !resumed || current?.holder === holder;
      if (!mine && status === 'started')
        throw new AuthError('not_resumable', { reason: 'reserved by another run' });
      if (!mine && status === 'refused') return undefined;
      const again = status === 'started' || current === undefined ? 1 : 0;
      return {
        taskId: task.id,
        toolCallId,
        toolName,
        resource: resourceName(requirement),
        scopes: requirement.scopes,
        effect: requirement.effect,
        match,
        status,
        runId,
        holder,
        attempt: (current?.attempt ?? 0) + again,
        at: runtime.clock.now(),
        ...(refusal === undefined ? {} : { code: refusal.code }),
        ...(refusal?.ref === undefined ? {} : { pauseId: refusal.ref }),
      } satisfies CallRecord;
    });
    if (status === 'started') return this.#audit('tool-call-started', {});
    this.#outcome = status;
    this.#audit('tool-call-settled', {
      outcome: status,
      ...(refusal === undefined ? {} : { code: refusal.code }),
      ...(refusal?.ref === undefined ? {} : { pauseId: refusal.ref }),
    });
  }

  /** A read leaves no record that anybody waits for; that it happened is in the audit log. */
  #note(outcome: CallOutcome): void {
    this.#outcome = outcome;
    this.#audit('tool-call-settled', { outcome });
  }

  #audit(type: AuditEvent['type'], more: Partial<AuditEvent>): void {
    const { requirement, toolCallId, toolName } = this.#invocation;
    this.#context.audit({
      type,
      toolCallId,
      toolName,
      resource: resourceName(requirement),
      scopes: requirement.scopes,
      effect: requirement.effect,
      ...more,
    });
  }

  #match(): Promise<string> {
    const { requirement, toolName, input } = this.#invocation;
    const { subject } = this.#context.task();
    const what = [toolName, resourceName(requirement), requirement.scopes.toSorted(), subject];
    return this.#context.runtime.keyedHash.hash('match', canonicalJson([...what, input]));
  }
}

function bearer(slot: AccessTokenSlot): BearerToken {
  return { value: slot.accessToken, generation: slot.generation, tokenType: 'bearer' };
}

function createHandle(
  context: CallContext,
  invocation: CallInvocation,
  idempotencyKey: string,
  authority: CallAuthority,
): PrincipalHandle {
  const { runtime } = context;
  const task = context.task();
  const name = resourceName(invocation.requirement);
  const resource = runtime.resources.get(name);
  return createPrincipalHandle({
    principal: task.principal,
    taskId: task.id,
    resource: name,
    idempotencyKey,
    fetch:
      resource === undefined
        ? async () => {
            const reason = `no resource "${name}" is configured`;
            throw await authority.refuse('insufficient_scope', { reason });
          }
        : createPrincipalFetch({ resource: resource.location, authority, fetch: runtime.fetch }),
  });
}

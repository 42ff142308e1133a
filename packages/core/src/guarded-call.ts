import type { CallAuthority, CallToken, RefusalOptions } from './call-authority.ts';
import { CallEntry, type CallInvocation, type EntryContext } from './call-entry.ts';
import type { LedgerEntry } from './call-record.ts';
import { AuthError } from './errors.ts';
import type { AccessTokenSlot } from './grant-record.ts';
import type { Pause, PauseReason } from './pause-record.ts';
import type { PrincipalHandle } from './principal.ts';
import { createPrincipalFetch } from './principal-fetch.ts';
import { createPrincipalHandle } from './principal-handle.ts';
import { authErrorOf, opensPause, pauseReason } from './refusal.ts';
import { resourceName } from './requirement.ts';
import type { TaskAuthority } from './task-authority.ts';

/** What a guarded call needs of the run it belongs to. */
export interface CallContext extends EntryContext {
  readonly authority: TaskAuthority;
  readonly pause: (reason: PauseReason, call: CallInvocation) => Promise<Pause | undefined>;
  readonly refused: (call: CallInvocation, error: AuthError) => void;
}

/** One credentialed tool call: its principal, its place in the ledger, and what became of it. */
export class GuardedCall {
  readonly principal: PrincipalHandle;
  /** Resolves to the error if the call may not run at all. Check it before executing the tool. */
  readonly admission: Promise<AuthError | undefined> | undefined;
  readonly #context: CallContext;
  readonly #invocation: CallInvocation;
  readonly #entry: CallEntry;
  #starting: Promise<void> | undefined;
  #hasStarted = false;
  #answered = false;
  #lost = false;
  /** Requests that are under way and may yet be answered. */
  #sending = 0;
  #refusal: AuthError | undefined;
  #refusing: Promise<AuthError> | undefined;

  constructor(context: CallContext, invocation: CallInvocation) {
    this.#context = context;
    this.#invocation = invocation;
    this.#entry = new CallEntry(context, invocation);
    this.principal = createHandle(context, invocation, this.#port());
    this.admission = context.resumed ? this.#admit() : undefined;
  }

  /** What is known about this call; `undefined` when it neither asked for authority nor was refused any. */
  get entry(): LedgerEntry | undefined {
    return this.#entry.view(this.#refusal);
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
    const found = AuthError.find(end.error);
    if (found !== undefined && this.#refusal === undefined) await this.#refuse(found, {});
    const partly = this.#mayHaveHappened;
    if (this.#refusal !== undefined) {
      // Part of what the call was to do has happened, or may have: running it again could do it twice.
      if (partly && !this.#isRead) await this.#entry.write('unknown', this.#refusal);
      return this.#refusal;
    }
    if (!partly && !this.#hasStarted) return undefined;
    const outcome = (this.#lost || this.#sending > 0) && !end.ok ? 'unknown' : 'done';
    if (this.#isRead) this.#entry.note(outcome);
    else await this.#entry.write(outcome, undefined);
    return undefined;
  }

  #port(): CallAuthority {
    const { authority } = this.#context;
    const { requirement } = this.#invocation;
    const guarded = async (wait: Promise<AccessTokenSlot>): Promise<CallToken> => {
      try {
        return callToken(await wait);
      } catch (error) {
        throw await this.#refuse(authErrorOf(error), {});
      }
    };
    return {
      acquire: () => {
        // Sends nothing more, also where the pause that would stop it could not be recorded.
        if (this.#refusing !== undefined)
          return this.#refusing.then((error) => Promise.reject(error));
        const held = authority.peek(requirement);
        return held === undefined ? guarded(authority.token(requirement)) : callToken(held);
      },
      renew: async (failed) => {
        // Refused so far, and not under way until there is another token.
        this.#sending -= 1;
        this.#entry.noteRejected(failed.generation);
        try {
          const rejectedGeneration = failed.generation;
          return await guarded(authority.token(requirement, { rejectedGeneration }));
        } finally {
          this.#sending += 1;
        }
      },
      refuse: (code, options) => this.#refuse(new AuthError(code, options), options),
      beforeSend: () => {
        if (!this.#isRead && !this.#hasStarted)
          return this.#start().then(() => {
            this.#sending += 1;
          });
        this.#sending += 1;
        return undefined;
      },
      afterSend: (outcome) => {
        this.#sending -= 1;
        if (outcome === 'answered') this.#answered = true;
        if (outcome === 'unknown') this.#lost = true;
      },
    };
  }

  async #admit(): Promise<AuthError | undefined> {
    const error = await this.#entry.admit().catch(authErrorOf);
    return error === undefined ? undefined : this.#refuse(error, {});
  }

  /** Makes the call's entry durable, once, before the first byte of a non-read call leaves. */
  #start(): Promise<void> {
    this.#starting ??= this.#entry.write('started', undefined).then(
      () => {
        this.#hasStarted = true;
      },
      async (error: unknown) => {
        throw await this.#refuse(authErrorOf(error), {});
      },
    );
    return this.#starting;
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
    const { code, detail, reason, retryAfterMs } = error;
    const refusal = new AuthError(code, { ref, detail, reason, retryAfterMs, cause });
    this.#refusal = refusal;
    this.#context.refused(this.#invocation, refusal);
    const partly = this.#mayHaveHappened && !this.#isRead;
    try {
      // A call that may not be resumed leaves the entry to the run that has it.
      if (code === 'not_resumable') this.#entry.note('refused', { code });
      else await this.#entry.write(partly ? 'unknown' : 'refused', refusal);
    } catch (failure) {
      this.#entry.noteUnwritten(failure);
    }
    return refusal;
  }

  /** Whether some of what the call was to do has happened, or may have, or may yet. */
  get #mayHaveHappened(): boolean {
    return this.#answered || this.#lost || this.#sending > 0;
  }

  get #isRead(): boolean {
    return this.#invocation.requirement.effect === 'read';
  }
}

function callToken({ accessToken, generation, proofKey }: AccessTokenSlot): CallToken {
  return { value: accessToken, generation, ...(proofKey === undefined ? {} : { proofKey }) };
}

function createHandle(
  context: CallContext,
  invocation: CallInvocation,
  authority: CallAuthority,
): PrincipalHandle {
  const { runtime, runId } = context;
  const task = context.task();
  const name = resourceName(invocation.requirement);
  const resource = runtime.resources.get(name);
  return createPrincipalHandle({
    principal: task.principal,
    taskId: task.id,
    resource: name,
    idempotencyKey: `${task.id}.${runId}.${invocation.toolCallId}`,
    fetch:
      resource === undefined
        ? async () => {
            const reason = `no resource "${name}" is configured`;
            throw await authority.refuse('insufficient_scope', { reason });
          }
        : createPrincipalFetch({
            resource: resource.location,
            authority,
            fetch: runtime.fetch,
            proofs: runtime.proofs,
          }),
  });
}

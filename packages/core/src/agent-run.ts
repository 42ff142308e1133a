import { CallEntry, type CallInvocation } from './call-entry.ts';
import type { LedgerEntry } from './call-record.ts';
import { AuthError } from './errors.ts';
import { type CallContext, GuardedCall } from './guarded-call.ts';
import type { TaskCell } from './known-tasks.ts';
import type { Pause } from './pause-record.ts';
import type { PauseContext } from './pauses.ts';
import { randomId } from './random-id.ts';
import { authErrorOf } from './refusal.ts';
import { resourceName } from './requirement.ts';
import type { TaskAuthority } from './task-authority.ts';
import type { Tickets } from './tickets.ts';

/** A call that got no authority, as the run met it. */
export interface Refusal {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly error: AuthError;
}

/** How a run stands when its loop has ended. */
export type RunEnd =
  | { readonly status: 'completed' }
  | { readonly status: 'paused'; readonly pause: Pause }
  | { readonly status: 'cancelled' | 'expired' }
  | { readonly status: 'failed'; readonly error: unknown };

/** What every task of a runtime works with. */
export interface TaskContext extends PauseContext {
  readonly tickets: Tickets;
}

/** What a run works with. Made by the task. */
export interface RunContext extends TaskContext {
  readonly authority: TaskAuthority;
}

/**
 * One agent loop under a task: the guard that every adapter puts around it.
 *
 * The adapter binds each credentialed tool call with `call`, asks `halted` before the model gets another turn,
 * and asks `finish` how the run ended. It decides nothing itself.
 */
export class AgentRun {
  /** Stays the same when the run is resumed. */
  readonly id: string;
  /** Calls that this run may run before the model is called: those it was paused for. */
  readonly resumableCalls: ReadonlySet<string>;
  /** Calls whose outcome nobody knew, until people said that they had their effect: their answer is that, and no more. */
  readonly happenedCalls: ReadonlySet<string>;
  readonly #context: RunContext;
  readonly #holder: string;
  readonly #calls: GuardedCall[] = [];
  #newCalls: CallContext | undefined;
  readonly #refusals: Refusal[] = [];
  /** The pause for which the model was denied a turn. */
  #stoppedBy: Pause | undefined;

  /** @internal */
  constructor(
    context: RunContext,
    resumed:
      | {
          readonly id: string;
          readonly holder: string;
          readonly calls: ReadonlySet<string>;
          readonly happened: ReadonlySet<string>;
        }
      | undefined,
  ) {
    this.#context = context;
    this.id = resumed?.id ?? randomId();
    this.#holder = resumed?.holder ?? randomId();
    this.resumableCalls = resumed?.calls ?? new Set();
    this.happenedCalls = resumed?.happened ?? new Set();
  }

  get taskId(): string {
    return this.#task.id;
  }

  /**
   * Whether the loop must not go on: a call was refused, or the task is not active as this process knows, or out of
   * time. No I/O.
   */
  get halted(): boolean {
    if (this.#refusals.length > 0 || this.#task.status !== 'active') return true;
    return this.#context.runtime.clock.now() >= this.#task.deadlineAt;
  }

  /**
   * Asked before the model gets another turn: whether it may, as the store knows it now. Another process may have
   * paused the task, or resumed it, since this one last listened.
   */
  async mayContinue(): Promise<boolean> {
    if (this.#refusals.length > 0) return false;
    try {
      await this.#context.tasks.read(this.taskId);
    } catch {
      // A store that cannot be asked stops no turn of the model: what needs authority fails closed by itself.
    }
    this.#stoppedBy ??= this.#task.pause;
    return !this.halted && this.#stoppedBy === undefined;
  }

  /** The calls that were refused, in the order in which they failed. */
  get refusals(): readonly Refusal[] {
    return this.#refusals;
  }

  /** What is known about the credentialed calls of this run. */
  get ledger(): readonly LedgerEntry[] {
    return this.#calls.flatMap((call) => call.entry ?? []);
  }

  /**
   * Asked before anything of a step runs: whether it is known already that a call has no authority. Then the call is
   * refused as if it had been made, and this is the refusal. Mints nothing.
   */
  async preflight(invocation: CallInvocation): Promise<AuthError | undefined> {
    const { authority } = this.#context;
    const { requirement } = invocation;
    if (!this.halted && authority.peek(requirement) !== undefined) return undefined;
    const lacking = await authority.lacking(requirement);
    return lacking === undefined ? undefined : await this.call(invocation).refuse(lacking);
  }

  /**
   * Takes down that the app asks a person about a call before it runs. Whoever then says that it was approved is
   * believed once, and only because of this.
   *
   * @throws {AuthError} `store_unavailable`.
   */
  async ask(invocation: CallInvocation): Promise<void> {
    await new CallEntry(this.#contextOf(invocation), invocation).ask();
  }

  /**
   * Binds one tool call. Never throws: a call that may not run has an `admission` that says so, and a principal
   * whose `fetch` rejects.
   */
  call(invocation: CallInvocation): GuardedCall {
    const call = new GuardedCall(this.#contextOf(invocation), invocation);
    this.#calls.push(call);
    return call;
  }

  /** What the calls of this run work with: most are new, some continue what it was paused for. */
  #contextOf({ toolCallId }: CallInvocation): CallContext {
    if (this.resumableCalls.has(toolCallId)) return this.#createContext(true);
    this.#newCalls ??= this.#createContext(false);
    return this.#newCalls;
  }

  #createContext(resumed: boolean): CallContext {
    const { runtime, ledger, tickets, authority, tasks, pauses } = this.#context;
    return {
      runtime,
      ledger,
      tickets,
      authority,
      runId: this.id,
      holder: this.#holder,
      task: () => this.#task,
      resumed,
      pause: (reason, { requirement, toolCallId, toolName, input }) =>
        pauses.open(this.#task, reason, {
          runId: this.id,
          input,
          toolCallId,
          toolName,
          resource: resourceName(requirement),
          scopes: requirement.scopes,
          effect: requirement.effect,
        }),
      refused: ({ toolCallId, toolName }, error) =>
        this.#refusals.push({ toolCallId, toolName, error }),
      audit: (event) => tasks.audit(this.#task, event),
      over: () => (this.halted ? this.#over() : undefined),
    };
  }

  /** What a call is told that begins when the run is over, as the store knows it now. */
  async #over(): Promise<AuthError | undefined> {
    const { tasks, authority } = this.#context;
    try {
      await tasks.read(this.taskId);
      await authority.ensureActive();
      // Somebody may have resumed the task, but a run that was refused something is over.
      return this.#refusals[0]?.error;
    } catch (error) {
      return authErrorOf(error);
    }
  }

  /** How the run ended, as the store knows it. `completed` only if nothing was refused and the task is still active. */
  async finish(): Promise<RunEnd> {
    const { tasks } = this.#context;
    try {
      await tasks.read(this.taskId);
      const task = this.#task;
      const first = this.#refusals[0]?.error;
      switch (task.status) {
        case 'paused':
          if (task.pause !== undefined) return { status: 'paused', pause: task.pause };
          break;
        case 'cancelled':
        case 'expired':
          return { status: task.status };
        case 'failed':
          return {
            status: 'failed',
            error: first ?? new AuthError('task_ended', { reason: 'failed' }),
          };
        case 'active':
          if (await tasks.expireIfDue(task)) return { status: 'expired' };
          if (first !== undefined) return await this.#pausedFor(first);
          // Another process resumed the task after this run was stopped, which still waits.
          return this.#stoppedBy === undefined
            ? { status: 'completed' }
            : { status: 'paused', pause: this.#stoppedBy };
        case 'completed':
          break;
      }
      return first === undefined ? { status: 'completed' } : { status: 'failed', error: first };
    } catch (error) {
      return { status: 'failed', error: this.#refusals[0]?.error ?? authErrorOf(error) };
    }
  }

  /** Something was refused, and the task is active: another process resumed it meanwhile. This run still waits. */
  async #pausedFor(error: AuthError): Promise<RunEnd> {
    const pause = error.ref === undefined ? undefined : await this.#context.pauses.get(error.ref);
    return pause === undefined
      ? { status: 'failed', error }
      : { status: 'paused', pause: pause.value };
  }

  get #task(): TaskCell {
    return this.#context.authority.cell;
  }
}

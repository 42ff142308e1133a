import type {
  AgentRun,
  AuthError,
  CallInvocation,
  GuardedCall,
  Refusal,
  Task,
} from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';

/** What the adapter knows about one conversation in one process, beside what its runs know. */
export class RunGuard {
  readonly task: Task;
  #run: AgentRun;
  readonly #remember: (run: AgentRun) => void;
  readonly #resumed = new Map<string, AgentRun>();
  readonly #met = new Set<string>();
  readonly #unsettled = new Set<string>();
  readonly #refusals = new Map<string, Refusal>();
  #isGated = false;

  constructor(task: Task, run: AgentRun, remember: (run: AgentRun) => void) {
    this.task = task;
    this.#run = run;
    this.#remember = remember;
  }

  get run(): AgentRun {
    return this.#run;
  }

  /** Whether a gate stands before the next turn of the model. */
  get isGated(): boolean {
    return this.#isGated;
  }

  /** A gate was passed: what is called from now on is new, and a gate looks at what becomes of it. */
  pass(): void {
    this.#isGated = true;
  }

  /** The run goes on after a pause, with calls that were refused before. */
  goOn(run: AgentRun, toolCallIds: readonly string[]): void {
    this.#run = run;
    this.#refusals.clear();
    this.resume(run, toolCallIds);
  }

  /** Calls that were refused before, and now run again in this process. */
  resume(run: AgentRun, toolCallIds: readonly string[]): void {
    this.#remember(run);
    for (const toolCallId of toolCallIds) {
      this.#resumed.set(toolCallId, run);
      this.#refusals.delete(toolCallId);
      this.#unsettled.delete(toolCallId);
    }
  }

  /** Calls that were refused before, and that nobody has reserved yet: whoever runs one asks the store. */
  lookUp(toolCallIds: Iterable<string>): void {
    for (const toolCallId of toolCallIds) this.#unsettled.add(toolCallId);
  }

  /** Notes that a call was refused, also one that the run itself knows nothing of. */
  refuse({ toolCallId, toolName }: UnansweredCall, error: AuthError): void {
    this.#met.add(toolCallId);
    this.#refusals.set(toolCallId, { toolCallId, toolName, error });
  }

  /** A call that people say has happened: it waits for nothing any more. */
  markHappened(toolCallId: string): void {
    this.#met.add(toolCallId);
    this.#refusals.delete(toolCallId);
    this.#unsettled.delete(toolCallId);
  }

  /** A call whose tool was stopped half way: it comes back in another invocation, in whichever process. */
  forget(toolCallId: string): void {
    this.#met.delete(toolCallId);
    this.#resumed.delete(toolCallId);
    this.#unsettled.add(toolCallId);
  }

  /** Whether this process knows where a call comes from: from a turn of the model that it saw, or from a pause. */
  knows(toolCallId: string): boolean {
    if (this.#refusals.has(toolCallId) || this.#unsettled.has(toolCallId)) return false;
    return this.#isGated || this.#resumed.has(toolCallId);
  }

  /** Whether the call was made in this process, so that nothing else has to be asked what became of it. */
  hasMet(toolCallId: string): boolean {
    return this.#met.has(toolCallId);
  }

  call(invocation: CallInvocation): GuardedCall {
    this.#met.add(invocation.toolCallId);
    return (this.#resumed.get(invocation.toolCallId) ?? this.#run).call(invocation);
  }

  /** The calls that were refused, and have not run again. */
  get refusals(): readonly Refusal[] {
    return [...this.#refusals.values()];
  }

  refusalOf(toolCallId: string): Refusal | undefined {
    return this.#refusals.get(toolCallId);
  }
}

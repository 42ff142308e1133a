import type { BaseMessage } from '@langchain/core/messages';
import type { AgentRun, Task } from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';
import { RunGuard } from './run-guard.ts';

/** How a task is bound to one invocation, beyond what the task itself says. */
export interface BindingOptions {
  /** The run that goes on, if it is known. Default: the run that belongs to the thread. */
  readonly runId?: string;
  /** Calls that a person refused: they do not run again, and the model is told. */
  readonly decline?: ReadonlySet<string>;
  /** Whether calls that another process has begun to resume are taken over. */
  readonly takeOver?: boolean;
}

/** Where and with what an invocation was stopped. */
export interface Stop {
  readonly runId: string;
  readonly calls: readonly UnansweredCall[];
  /** The conversation, where LangGraph keeps none. */
  readonly messages?: readonly BaseMessage[];
}

const shared = new WeakMap<Task, TaskBinding>();

/**
 * A task, as the tools and the gates of an invocation meet it: the value of `context.task`.
 *
 * `withTask` makes one for each invocation. An app that puts a `Task` into the context itself shares one between all
 * invocations with that object, and they are told apart by their thread.
 */
export class TaskBinding {
  readonly #task: Task;
  readonly #options: BindingOptions;
  readonly #guards = new Map<string, Promise<RunGuard>>();
  readonly #runs: AgentRun[] = [];
  readonly #isShared: boolean;
  #stop: Stop | undefined;

  constructor(task: Task, options: BindingOptions & { readonly isShared?: boolean } = {}) {
    this.#task = task;
    this.#options = options;
    this.#isShared = options.isShared === true;
  }

  /** The binding behind what an invocation has as `context.task`; nothing when that is no task. */
  static of(value: unknown): TaskBinding | undefined {
    if (value instanceof TaskBinding) return value;
    if (!isTask(value)) return undefined;
    const known = shared.get(value);
    if (known !== undefined) return known;
    const binding = new TaskBinding(value, { isShared: true });
    shared.set(value, binding);
    return binding;
  }

  get task(): Task {
    return this.#task;
  }

  get options(): BindingOptions {
    return this.#options;
  }

  /** Every run that this invocation began or went on with. Not known of shared bindings. */
  get runs(): readonly AgentRun[] {
    return this.#runs;
  }

  /** The guard of the conversation in `thread`; without threads, of the one conversation that the task has. */
  guard(thread: string | undefined): Promise<RunGuard> {
    const name = thread ?? '';
    const known = this.#guards.get(name);
    if (known !== undefined) return known;
    const made = this.#makeGuard(name);
    this.#guards.set(name, made);
    return made;
  }

  /** Where a gate stopped this invocation. Not known of shared bindings. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** The invocation ends here. What its guard knew is not true of the next one; the store knows the rest. */
  leave(thread: string | undefined, stop: Stop): void {
    if (this.#isShared) this.#guards.delete(thread ?? '');
    else this.#stop = stop;
  }

  /** The guards of all conversations of this invocation. */
  guards(): Promise<readonly RunGuard[]> {
    return Promise.all(this.#guards.values());
  }

  /** Traces show the context: what they need to know is which task it was. */
  toJSON(): { readonly id: string } {
    return { id: this.#task.id };
  }

  async #makeGuard(thread: string): Promise<RunGuard> {
    const runId = this.#options.runId ?? (await runIdOf(thread));
    const run = this.#task.startRun({ runId });
    const remember = (begun: AgentRun): void => {
      if (!this.#isShared) this.#runs.push(begun);
    };
    remember(run);
    return new RunGuard(this.#task, run, remember);
  }
}

/** Names the run of a thread, in each process the same. Hashed, because idempotency keys are made with it. */
async function runIdOf(thread: string): Promise<string> {
  return (await sha256Hex(`outlive run ${thread}`)).slice(0, 32);
}

/** SHA-256 of a text, hexadecimal. */
export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function isTask(value: unknown): value is Task {
  return (
    typeof value === 'object' &&
    value !== null &&
    'resumeRun' in value &&
    typeof value.resumeRun === 'function'
  );
}

import {
  AuthError,
  ConfigurationError,
  type LedgerEntry,
  type Pause,
  type Refusal,
  type Task,
} from '@outlive/core';
import type { GuardedAgent } from './agent.ts';
import type { AgentToolParts } from './agent-tool.ts';
import { continueRun, type LoopStart, type NotResumed, newRun } from './continue-run.ts';
import type { TaskOutcome } from './outcome.ts';
import type { PausedRun } from './paused-run.ts';

/** Runs an agent under a run of its own. */
export interface AgentLoops {
  generate(start: LoopStart, agent: GuardedAgent, options: object): Promise<TaskOutcome<unknown>>;
  stream(start: LoopStart, agent: GuardedAgent, options: object): Promise<AgentStream>;
}

/** An agent's stream, and its outcome once it was read. */
interface AgentStream {
  readonly stream: unknown;
  readonly outcome: Promise<TaskOutcome<unknown>>;
}

/** A call of an agent, as the calling loop made it. */
export interface AgentCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly abortSignal?: AbortSignal | undefined;
}

const requestType = 'tool-approval-request';

/** A part of what a loop ended with, as far as the adapter looks at it. */
interface ContentPart {
  readonly type: string;
  readonly isAutomatic?: boolean;
  readonly toolCall?: { readonly toolName: string };
}

/** What an agent's loop starts with. */
interface BegunAgent {
  readonly start: LoopStart;
  readonly options: object;
}

interface PausedAgent {
  readonly refusal: Refusal;
  readonly pause: Pause;
  readonly state: PausedRun;
}

/**
 * The agents that one loop calls as tools, each in a run of its own under the same task. One that is paused pauses the
 * calling loop as well, and goes on with it: what it had done by then is not done again.
 */
export class SubAgents {
  readonly #task: Task;
  readonly #resumed: ReadonlyMap<string, PausedRun>;
  readonly #takeOver: boolean;
  readonly #loops: AgentLoops;
  readonly #paused = new Map<string, PausedAgent>();
  readonly #ledger: LedgerEntry[] = [];

  constructor({ task, agents, takeOver }: LoopStart, loops: AgentLoops) {
    this.#task = task;
    this.#resumed = agents;
    this.#takeOver = takeOver;
    this.#loops = loops;
  }

  /** Whether some agent waits. */
  get waiting(): boolean {
    return this.#paused.size > 0;
  }

  /** What the first agent waits for that waits. */
  get pause(): Pause | undefined {
    return this.#paused.values().next().value?.pause;
  }

  /** Where each agent that waits has stopped, by the id of the call. */
  get paused(): ReadonlyMap<string, PausedRun> {
    return new Map([...this.#paused].map(([toolCallId, { state }]) => [toolCallId, state]));
  }

  /** The calls of agents that wait, as calls that were refused. */
  get refusals(): readonly Refusal[] {
    return [...this.#paused.values()].map(({ refusal }) => refusal);
  }

  /** What is known about the credentialed calls of the agents. */
  get ledger(): readonly LedgerEntry[] {
    return this.#ledger;
  }

  /** Whether a call of an agent goes on from where it stopped. */
  resumes(toolCallId: string): boolean {
    return this.#resumed.has(toolCallId);
  }

  /**
   * The agent's answer.
   *
   * @throws {AuthError} when the agent is paused, or the task has ended; what its own loop failed with else.
   */
  async answer(parts: AgentToolParts, call: AgentCall, input: unknown): Promise<unknown> {
    const begun = await this.#begin(parts, call, input);
    const outcome =
      'status' in begun
        ? begun
        : await this.#loops.generate(begun.start, parts.agent, begun.options);
    return parts.answer?.(await this.#resultOf(outcome, call));
  }

  /**
   * The agent's answer as it grows. Throws what `answer` does, once the agent's stream has ended.
   */
  async *answers(parts: AgentToolParts, call: AgentCall, input: unknown): AsyncGenerator<unknown> {
    const begun = await this.#begin(parts, call, input);
    if ('status' in begun) {
      await this.#resultOf(begun, call);
      return;
    }
    const { stream, outcome } = await this.#loops.stream(begun.start, parts.agent, begun.options);
    let failure: { readonly error: unknown } | undefined;
    try {
      yield* parts.stream?.(stream) ?? [];
    } catch (error) {
      failure = { error };
    }
    // The agent works as long as somebody reads: also what the app was not interested in.
    await readOn(stream);
    // How the run ended says more than what the app's reader made of that.
    await this.#resultOf(await outcome, call);
    if (failure !== undefined) throw failure.error;
  }

  /** The result of an agent that has done its work. Throws what kept it from that. */
  async #resultOf(outcome: TaskOutcome<unknown>, call: AgentCall): Promise<unknown> {
    this.#ledger.push(...outcome.ledger);
    const { toolCallId, toolName } = call;
    switch (outcome.status) {
      case 'completed':
        await assertAsksNobody(outcome.result);
        return outcome.result;
      case 'paused': {
        const { pause, state } = outcome;
        const error = new AuthError(pause.reason.code, { ref: pause.id });
        this.#paused.set(toolCallId, { refusal: { toolCallId, toolName, error }, pause, state });
        throw error;
      }
      case 'failed':
        throw outcome.error;
      case 'cancelled':
      case 'expired':
        throw new AuthError('task_ended', { reason: outcome.status });
    }
  }

  /** What the agent's loop starts with; how it ended, if it may not go on. */
  async #begin(
    { prompt }: AgentToolParts,
    { toolCallId, abortSignal }: AgentCall,
    input: unknown,
  ): Promise<BegunAgent | NotResumed<unknown>> {
    const options = { ...(abortSignal !== undefined && { abortSignal }) };
    const state = this.#resumed.get(toolCallId);
    if (state === undefined)
      return { start: newRun(this.#task), options: { ...options, prompt: prompt(input) } };
    // Nobody sees what an agent behind a tool asks for: only what waits for authority goes on.
    const decline = state.pending
      .filter(({ waitsFor }) => waitsFor !== 'authority')
      .map((pending) => pending.toolCallId);
    const continued = await continueRun(this.#task, state, { decline, takeOver: this.#takeOver });
    if ('status' in continued) return continued;
    return { start: continued, options: { ...options, messages: continued.messages } };
  }
}

async function readOn(stream: unknown): Promise<void> {
  const { consumeStream } = stream as { consumeStream(options: object): PromiseLike<void> };
  // What fails is in the outcome.
  await consumeStream.call(stream, { onError: () => undefined });
}

/** @throws {ConfigurationError} when the agent ended with a question, which nobody would see. */
async function assertAsksNobody(result: unknown): Promise<void> {
  const { content } = result as {
    content?: readonly ContentPart[] | PromiseLike<readonly ContentPart[]>;
  };
  const parts = (await content) ?? [];
  const asked = parts.find(({ type, isAutomatic }) => type === requestType && !isAutomatic);
  if (asked === undefined) return;
  throw new ConfigurationError(
    `agentTool: agent: expected tools that run without an approval, got one for ${asked.toolCall?.toolName}`,
    ['agent'],
  );
}

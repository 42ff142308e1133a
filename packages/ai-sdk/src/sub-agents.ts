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
import { continueRun, type LoopStart, newRun } from './continue-run.ts';
import type { TaskOutcome } from './outcome.ts';
import type { PausedRun } from './paused-run.ts';

/** Runs an agent under a run of its own. */
export type GenerateWithAgent = (
  start: LoopStart,
  agent: GuardedAgent,
  options: object,
) => Promise<TaskOutcome<unknown>>;

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
  readonly #generate: GenerateWithAgent;
  readonly #paused = new Map<string, PausedAgent>();
  readonly #ledger: LedgerEntry[] = [];

  constructor({ task, agents, takeOver }: LoopStart, generate: GenerateWithAgent) {
    this.#task = task;
    this.#resumed = agents;
    this.#takeOver = takeOver;
    this.#generate = generate;
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
  async answer(agent: AgentToolParts, call: AgentCall, input: unknown): Promise<unknown> {
    const outcome = await this.#run(agent, call, input);
    this.#ledger.push(...outcome.ledger);
    const { toolCallId, toolName } = call;
    switch (outcome.status) {
      case 'completed':
        assertAsksNobody(outcome.result);
        return agent.answer(outcome.result);
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

  async #run(
    { agent, prompt }: AgentToolParts,
    { toolCallId, abortSignal }: AgentCall,
    input: unknown,
  ): Promise<TaskOutcome<unknown>> {
    const options = { ...(abortSignal !== undefined && { abortSignal }) };
    const state = this.#resumed.get(toolCallId);
    if (state === undefined)
      return await this.#generate(newRun(this.#task), agent, { ...options, prompt: prompt(input) });
    // Nobody sees what an agent behind a tool asks for: only what waits for authority goes on.
    const decline = state.pending
      .filter(({ waitsFor }) => waitsFor !== 'authority')
      .map((pending) => pending.toolCallId);
    const continued = await continueRun(this.#task, state, { decline, takeOver: this.#takeOver });
    if ('status' in continued) return continued;
    return await this.#generate(continued, agent, { ...options, messages: continued.messages });
  }
}

/** @throws {ConfigurationError} when the agent ended with a question, which nobody would see. */
function assertAsksNobody(result: unknown): void {
  const { content = [] } = result as { readonly content?: readonly ContentPart[] };
  const asked = content.find(({ type, isAutomatic }) => type === requestType && !isAutomatic);
  if (asked === undefined) return;
  throw new ConfigurationError(
    `agentTool: agent: expected tools that run without an approval, got one for ${asked.toolCall?.toolName}`,
    ['agent'],
  );
}

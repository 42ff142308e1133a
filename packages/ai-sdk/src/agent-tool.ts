import { AuthError, ConfigurationError } from '@outlive/core';
import type { FlexibleSchema, ModelMessage, Tool } from 'ai';
import { type AgentLike, type GuardedAgent, isAgent } from './agent.ts';
import type { PassThroughKey, SdkExecuteOptions, ToolFields } from './credential-tool.ts';

/** The fields that a tool is defined with which is an agent. */
export interface AgentToolFields<Input, Output> extends ToolFields<Input, Output> {
  /** What the agent is asked. */
  prompt: (input: Input) => string | ModelMessage[];
}

/** What an agent is called with, and what its caller gets. */
export interface AgentToolDefinition<A extends AgentLike, Input, Output>
  extends AgentToolFields<Input, Output> {
  /** What the calling model gets of the agent's result. */
  answer: (result: Awaited<ReturnType<A['generate']>>) => Output;
  stream?: never;
}

/** What an agent is called with that is watched while it works. */
export interface StreamingAgentToolDefinition<A extends AgentLike, Input, Output>
  extends AgentToolFields<Input, Output> {
  /**
   * What is shown of the agent's stream while it works. Each value takes the place of the one before; the last is what
   * the calling model gets, by `toModelOutput` if there is one.
   */
  stream: (result: Awaited<ReturnType<A['stream']>>) => AsyncIterable<Output>;
  answer?: never;
}

/** A tool that is an agent; one that shows what it does streams. */
export interface AgentTool<Input, Output, Answer = Promise<Output>>
  extends Pick<Tool<Input, Output>, Exclude<PassThroughKey, 'needsApproval'>> {
  type?: undefined | 'function';
  description?: string;
  inputSchema: FlexibleSchema<Input>;
  outputSchema?: FlexibleSchema<Output>;
  execute: (input: Input, options: SdkExecuteOptions) => Answer;
}

/** What the guard needs to run the agent of a tool: `answer` or `stream`, whichever the tool is defined with. */
export interface AgentToolParts {
  readonly agent: GuardedAgent;
  readonly prompt: (input: unknown) => unknown;
  readonly answer?: (result: unknown) => unknown;
  readonly stream?: (result: unknown) => AsyncIterable<unknown>;
}

const parts = Symbol('outlive.agent');

/** Makes an agent a tool that shows what the agent does while it works: with `stream` in place of `answer`. */
export function agentTool<A extends AgentLike, Input, Output>(
  agent: A,
  definition: StreamingAgentToolDefinition<A, Input, Output>,
): AgentTool<Input, Output, AsyncIterable<Output>>;
/**
 * Makes an agent a tool of another agent, under the same task.
 *
 * When a call of the inner agent is refused, the inner and the outer loop are paused, and a resume goes on inside: the
 * refused call runs again, and nothing else that either of them had done. Without a task the tool refuses with the
 * AuthError `no_task`. What its tools need is part of what the task needs: `toolRequirements({ ...tools, ...agent.tools })`.
 *
 * @throws {ConfigurationError} when it is not an agent.
 */
export function agentTool<A extends AgentLike, Input, Output>(
  agent: A,
  definition: AgentToolDefinition<A, Input, Output>,
): AgentTool<Input, Output>;
export function agentTool<A extends AgentLike, Input, Output>(
  agent: A,
  definition:
    | AgentToolDefinition<A, Input, Output>
    | StreamingAgentToolDefinition<A, Input, Output>,
): object {
  const { prompt, answer, stream, ...fields } = definition;
  if (!isAgent(agent))
    throw new ConfigurationError(
      `agentTool: agent: expected an agent, such as ToolLoopAgent, got ${typeof agent}`,
      ['agent'],
    );
  const execute = stream === undefined ? rejectNoTask : streamNoTask;
  return Object.assign({ ...fields, execute }, { [parts]: { agent, prompt, answer, stream } });
}

function rejectNoTask(): Promise<never> {
  return Promise.reject(new AuthError('no_task'));
}

// biome-ignore lint/correctness/useYield: the SDK must see a tool that streams.
async function* streamNoTask(): AsyncGenerator<never> {
  throw new AuthError('no_task');
}

/** The agent that a tool is, if it is one. */
export function agentOf(tool: object): AgentToolParts | undefined {
  return (tool as { [parts]?: AgentToolParts })[parts];
}

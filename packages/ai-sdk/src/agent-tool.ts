import { AuthError, ConfigurationError } from '@outlive/core';
import type { FlexibleSchema, ModelMessage, Tool } from 'ai';
import { type AgentLike, type GuardedAgent, isAgent } from './agent.ts';
import type { PassThroughKey, SdkExecuteOptions } from './credential-tool.ts';

/** What an agent is called with, and what its caller gets. */
export interface AgentToolDefinition<A extends AgentLike, Input, Output>
  extends Partial<Pick<Tool<Input, Output>, Exclude<PassThroughKey, 'needsApproval'>>> {
  description?: string;
  inputSchema: FlexibleSchema<Input>;
  outputSchema?: FlexibleSchema<Output>;
  /** What the agent is asked. */
  prompt: (input: Input) => string | ModelMessage[];
  /** What the calling model gets of the agent's result. */
  answer: (result: Awaited<ReturnType<A['generate']>>) => Output;
}

/** A tool that is an agent. */
export interface AgentTool<Input, Output>
  extends Pick<Tool<Input, Output>, Exclude<PassThroughKey, 'needsApproval'>> {
  type?: undefined | 'function';
  description?: string;
  inputSchema: FlexibleSchema<Input>;
  outputSchema?: FlexibleSchema<Output>;
  execute: (input: Input, options: SdkExecuteOptions) => Promise<Output>;
}

/** What the guard needs to run the agent of a tool. */
export interface AgentToolParts {
  readonly agent: GuardedAgent;
  readonly prompt: (input: unknown) => unknown;
  readonly answer: (result: unknown) => unknown;
}

const parts = Symbol('outlive.agent');

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
): AgentTool<Input, Output> {
  const { prompt, answer, ...fields } = definition;
  if (!isAgent(agent))
    throw new ConfigurationError(
      `agentTool: agent: expected an agent, such as ToolLoopAgent, got ${typeof agent}`,
      ['agent'],
    );
  const tool = {
    ...fields,
    execute: (): Promise<Output> => Promise.reject(new AuthError('no_task')),
  };
  return Object.assign(tool, { [parts]: { agent, prompt, answer } });
}

/** The agent that a tool is, if it is one. */
export function agentOf(tool: object): AgentToolParts | undefined {
  return (tool as { [parts]?: AgentToolParts })[parts];
}

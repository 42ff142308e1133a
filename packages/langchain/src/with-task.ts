import { ConfigurationError, type Task } from '@outlive/core';
import type { AgentOutcome } from './outcome.ts';
import {
  type AgentLike,
  type GraphAgent,
  type InvokeConfig,
  invokeAgent,
  type StreamRun,
  streamAgent,
} from './run-agent.ts';
import { TaskBinding } from './task-binding.ts';

/** An agent bound to one task: same input and config, and an honest outcome instead of the bare result. */
export interface TaskAgent<A extends AgentLike> {
  invoke(...args: Parameters<A['invoke']>): Promise<AgentOutcome<Awaited<ReturnType<A['invoke']>>>>;
  stream(...args: Parameters<A['stream']>): Promise<StreamRun<Awaited<ReturnType<A['stream']>>>>;
}

/**
 * Binds an agent or a compiled graph to a task: its credentialed tools act for the task's principal, and what comes
 * back is an outcome. The agent itself is not changed; every call is an invocation of its own.
 *
 * The same as putting the task into the context, `agent.invoke(input, { context: { task } })`, where LangGraph's own
 * result is enough.
 *
 * @throws {ConfigurationError} when it is neither an agent nor a compiled graph; as a rejection of an invocation, when
 *   its config has a `maxConcurrency` of 1, with which LangGraph leaves calls out.
 */
export function withTask<A extends AgentLike>(task: Task, agent: A): TaskAgent<A>;
export function withTask(task: Task, agent: unknown): unknown {
  const graph = asGraphAgent('withTask', agent);
  return {
    invoke: (input: unknown, config?: InvokeConfig) =>
      invokeAgent(new TaskBinding(task), graph, input, config),
    stream: (input: unknown, config?: InvokeConfig) =>
      streamAgent(new TaskBinding(task), graph, input, config),
  };
}

/** @throws {ConfigurationError} when `agent` is neither an agent nor a compiled graph. */
export function asGraphAgent(caller: string, agent: unknown): GraphAgent {
  if (isGraphAgent(agent)) return agent;
  throw new ConfigurationError(
    `${caller}: agent: expected an agent or a compiled graph, with invoke and stream, got ${
      agent === null ? 'null' : typeof agent
    }`,
    ['agent'],
  );
}

function isGraphAgent(agent: unknown): agent is GraphAgent {
  return (
    typeof agent === 'object' &&
    agent !== null &&
    'invoke' in agent &&
    typeof agent.invoke === 'function' &&
    'stream' in agent &&
    typeof agent.stream === 'function'
  );
}

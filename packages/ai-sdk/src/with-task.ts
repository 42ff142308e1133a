import type { Task } from '@outlive/core';
import { type AgentLike, isAgent } from './agent.ts';
import { newRun } from './continue-run.ts';
import { isLoopFunction, notRunnable } from './loop-function.ts';
import type { TaskOutcome } from './outcome.ts';
import { generateWithAgent, runFunction, type StreamRun, streamWithAgent } from './run-loop.ts';

/** An agent bound to one task: same options, and an honest outcome instead of the bare result. */
export interface TaskAgent<A extends AgentLike> {
  generate(
    ...args: Parameters<A['generate']>
  ): Promise<TaskOutcome<Awaited<ReturnType<A['generate']>>>>;
  stream(...args: Parameters<A['stream']>): Promise<StreamRun<Awaited<ReturnType<A['stream']>>>>;
}

/**
 * Binds an agent to a task. The agent itself is not changed; every call is a run of its own.
 *
 * @throws {ConfigurationError} when it is not an agent that can be guarded.
 */
export function withTask<A extends AgentLike>(task: Task, agent: A): TaskAgent<A>;
/**
 * Binds `generateText` to a task: same settings, and an honest outcome instead of the bare result.
 *
 * The credentialed tools act for the task's principal. When one of their calls is refused authority the model gets
 * no further turn: calls in flight are finished and kept, and the outcome is `paused`.
 */
export function withTask<Args extends unknown[], Result>(
  task: Task,
  generate: (...args: Args) => PromiseLike<Result>,
): (...args: Args) => Promise<TaskOutcome<Result>>;
/** Binds `streamText` to a task: same settings; the stream at once, the outcome when it ends. */
export function withTask<Args extends unknown[], Result>(
  task: Task,
  stream: (...args: Args) => Result,
): (...args: Args) => StreamRun<Result>;
export function withTask(task: Task, target: object): unknown {
  if (isAgent(target))
    return {
      generate: (options: object) => generateWithAgent(newRun(task), target, options),
      stream: (options: object) => streamWithAgent(newRun(task), target, options),
    };
  if (isLoopFunction(target))
    return (settings: object) => runFunction(newRun(task), target, settings);
  throw notRunnable('withTask', target);
}

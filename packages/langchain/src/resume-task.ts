import {
  AuthError,
  ConfigurationError,
  endedRun,
  failedRun,
  type Outlive,
  stillPaused,
  type Task,
} from '@outlive/core';
import { neededResources, waits } from './needed-resources.ts';
import type { AgentOutcome } from './outcome.ts';
import { assertPausedRun, chatMessages, type PausedRun } from './paused-run.ts';
import {
  type AgentLike,
  type InvokeConfig,
  invokeAgent,
  type StreamRun,
  streamAgent,
} from './run-agent.ts';
import { TaskBinding } from './task-binding.ts';
import { asGraphAgent } from './with-task.ts';

/** What `resumeTask` needs of an `Outlive`. */
export type Resumer = Pick<Outlive, 'resume' | 'task'>;

/** How a paused run is resumed. */
export interface ResumeTaskOptions {
  /** Ids of pending calls that the person refused: the model is told, and they do not run. */
  readonly decline?: readonly string[];
  /** Resumes although another process has said that it does; for when that one is known to be gone. */
  readonly takeOver?: boolean;
}

/** The outcome of a resumed run that was not started: it still waits, or it has ended. */
export type NotResumed<Result> = Exclude<
  AgentOutcome<Result>,
  { status: 'completed' | 'interrupted' }
> & {
  readonly stream?: never;
};

/** An agent that goes on with a paused run. Its input is the run's own, its config is as ever. */
export interface ResumedAgent<A extends AgentLike> {
  invoke(
    config?: Parameters<A['invoke']>[1],
  ): Promise<AgentOutcome<Awaited<ReturnType<A['invoke']>>>>;
  stream(
    config?: Parameters<A['stream']>[1],
  ): Promise<
    StreamRun<Awaited<ReturnType<A['stream']>>> | NotResumed<Awaited<ReturnType<A['stream']>>>
  >;
}

/**
 * Resumes a paused run with the same agent or graph, in this or another process.
 *
 * Exactly the refused calls run again, with their ids and inputs, and then the model gets its turn with all results.
 * While the task still waits nothing runs, and the outcome is `paused` with the same state.
 *
 * @throws {ConfigurationError} when `pausedRun` is not what a paused outcome had as its `state`; as a rejection, when the
 *   config has a `maxConcurrency` of 1.
 */
export function resumeTask<A extends AgentLike>(
  outlive: Resumer,
  pausedRun: PausedRun,
  agent: A,
  options?: ResumeTaskOptions,
): ResumedAgent<A>;
export function resumeTask(
  outlive: Resumer,
  pausedRun: PausedRun,
  agent: unknown,
  options: ResumeTaskOptions = {},
): unknown {
  assertPausedRun(pausedRun);
  assertDeclined(pausedRun, options);
  const graph = asGraphAgent('resumeTask', agent);
  const resume =
    <Outcome>(start: (binding: TaskBinding, input: unknown, config: object) => Outcome) =>
    async (config: InvokeConfig = {}): Promise<Outcome | NotResumed<unknown>> => {
      const opened = await reopen(outlive, pausedRun, options);
      if (!(opened instanceof TaskBinding)) return opened;
      const { messages, threadId } = pausedRun;
      return start(
        opened,
        messages === undefined ? null : { messages: chatMessages(messages) },
        threadId === undefined
          ? config
          : { ...config, configurable: { ...config.configurable, thread_id: threadId } },
      );
    };
  return {
    invoke: resume((binding, input, config) => invokeAgent(binding, graph, input, config)),
    stream: resume((binding, input, config) => streamAgent(binding, graph, input, config)),
  };
}

/** Asks whether the task may go on, and whether its calls still wait. The gate reserves them. */
async function reopen(
  outlive: Resumer,
  pausedRun: PausedRun,
  { decline = [], takeOver = false }: ResumeTaskOptions,
): Promise<TaskBinding | NotResumed<unknown>> {
  const { runId, taskId, pauseId, pending } = pausedRun;
  const task = await outlive.task(taskId);
  if (task === undefined) return failedRun(new AuthError('task_ended', { detail: 'no such task' }));
  const declined = new Set(decline);
  const resources = await neededResources(task, { runId, calls: pending, declined });
  const resumed = await outlive.resume(pauseId, resources && { resources });
  if (resumed.status === 'waiting') return stillPaused(pausedRun, resumed.pause);
  if (resumed.status === 'ended') return endedRun(resumed.taskStatus);
  if (resumed.taskId !== taskId)
    return failedRun(new AuthError('not_resumable', { reason: 'the pause is of another task' }));
  if (!takeOver) {
    const taken = await takenCall(task, pausedRun);
    if (taken !== undefined) return failedRun(new AuthError('not_resumable', { reason: taken }));
  }
  return new TaskBinding(task, { runId, decline: declined, takeOver });
}

/** What became of the first pending call that somebody has run, or runs: an expected outcome of a race. */
async function takenCall(task: Task, { runId, pending }: PausedRun): Promise<string | undefined> {
  const stored = await task.storedCalls({
    runId,
    toolCallIds: pending.map(({ toolCallId }) => toolCallId),
  });
  return stored.find((call) => call.happened !== true && !waits(call))?.status;
}

function assertDeclined({ pending }: PausedRun, { decline = [] }: ResumeTaskOptions): void {
  const unknown = decline.find((id) => !pending.some(({ toolCallId }) => toolCallId === id));
  if (unknown === undefined) return;
  throw new ConfigurationError(
    `resumeTask: options.decline: expected ids of pending calls, got ${JSON.stringify(unknown)}`,
    ['options.decline'],
  );
}

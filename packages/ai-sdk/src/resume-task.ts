import {
  AuthError,
  ConfigurationError,
  checkPausedRun,
  endedRun,
  failedRun,
  type Outlive,
  stillPaused,
} from '@outlive/core';
import { type AgentLike, isAgent } from './agent.ts';
import { type Answers, assertAnswers, repliedTo } from './answers.ts';
import { type ContinuedRun, continueRun, goingCalls, type NotResumed } from './continue-run.ts';
import { isLoopFunction, notRunnable } from './loop-function.ts';
import type { TaskOutcome } from './outcome.ts';
import type { PausedRun } from './paused-run.ts';
import { generateWithAgent, runFunction, type StreamRun, streamWithAgent } from './run-loop.ts';

/** What `resumeTask` needs of an `Outlive`. */
export type Resumer = Pick<Outlive, 'resume' | 'task'>;

/** How a paused run is resumed. */
export interface ResumeTaskOptions extends Answers {
  /** Resumes although another process has said that it does; for when that one is known to be gone. */
  readonly takeOver?: boolean;
}

/** Settings without the conversation: a resumed run goes on with its own. */
export type ResumeSettings<Settings> = Omit<Settings, 'prompt' | 'messages'>;

type ResumeArguments<Args extends readonly unknown[]> =
  Record<never, never> extends ResumeSettings<Args[0]>
    ? [options?: ResumeSettings<Args[0]>]
    : [options: ResumeSettings<Args[0]>];

/** An agent that goes on with a paused run. */
export interface ResumedAgent<A extends AgentLike> {
  generate(
    ...args: ResumeArguments<Parameters<A['generate']>>
  ): Promise<TaskOutcome<Awaited<ReturnType<A['generate']>>>>;
  stream(
    ...args: ResumeArguments<Parameters<A['stream']>>
  ): Promise<
    StreamRun<Awaited<ReturnType<A['stream']>>> | NotResumed<Awaited<ReturnType<A['stream']>>>
  >;
}

/**
 * Resumes a paused run with an agent, in this or another process.
 *
 * @throws {ConfigurationError} when `pausedRun` is not what a paused outcome had as its `state`.
 */
export function resumeTask<A extends AgentLike>(
  outlive: Resumer,
  pausedRun: PausedRun,
  agent: A,
  options?: ResumeTaskOptions,
): ResumedAgent<A>;
/**
 * Resumes a paused run with `generateText`: same settings, without the conversation.
 *
 * Exactly the refused calls run again, with their ids, and then the model gets its turn with all results. While the
 * task still waits nothing runs, and the outcome is `paused` with the same state.
 *
 * @throws {ConfigurationError} when `pausedRun` is not what a paused outcome had as its `state`.
 */
export function resumeTask<Settings extends object, Result>(
  outlive: Resumer,
  pausedRun: PausedRun,
  generate: (settings: Settings) => PromiseLike<Result>,
  options?: ResumeTaskOptions,
): (settings: ResumeSettings<Settings>) => Promise<TaskOutcome<Result>>;
/** Resumes a paused run with `streamText`. There is no `stream` when nothing may run: see the `status` then. */
export function resumeTask<Settings extends object, Result>(
  outlive: Resumer,
  pausedRun: PausedRun,
  stream: (settings: Settings) => Result,
  options?: ResumeTaskOptions,
): (settings: ResumeSettings<Settings>) => Promise<StreamRun<Result> | NotResumed<Result>>;
export function resumeTask(
  outlive: Resumer,
  pausedRun: PausedRun,
  target: object,
  options: ResumeTaskOptions = {},
): unknown {
  checkPausedRun(pausedRun, ['messages', 'pending']);
  assertAnswers(pausedRun, options);
  const resume =
    <Outcome>(start: (run: ContinuedRun, settings: object) => Outcome) =>
    async (settings: object = {}): Promise<Outcome | NotResumed<unknown>> => {
      assertNoConversation(settings);
      const opened = await reopen(outlive, pausedRun, options);
      if ('status' in opened) return opened;
      return start(opened, { ...settings, messages: opened.messages });
    };
  if (isAgent(target))
    return {
      generate: resume((run, settings) => generateWithAgent(run, target, settings)),
      stream: resume((run, settings) => streamWithAgent(run, target, settings)),
    };
  if (isLoopFunction(target)) return resume((run, settings) => runFunction(run, target, settings));
  throw notRunnable('resumeTask', target);
}

/** Asks whether the task may go on. */
async function reopen(
  outlive: Resumer,
  pausedRun: PausedRun,
  options: ResumeTaskOptions,
): Promise<ContinuedRun | NotResumed<unknown>> {
  const resources = neededResources(pausedRun, options);
  const resumed = await outlive.resume(pausedRun.pauseId, resources && { resources });
  if (resumed.status === 'waiting')
    return stillPaused(repliedTo(pausedRun, options), resumed.pause);
  if (resumed.status === 'ended') return endedRun(resumed.taskStatus);
  const task = await outlive.task(resumed.taskId);
  if (task === undefined) return failedRun(new AuthError('task_ended', { detail: 'no such task' }));
  return await continueRun(task, pausedRun, options);
}

/** What the calls need that will run again; `undefined` where that is not known. */
function neededResources(
  pausedRun: PausedRun,
  options: ResumeTaskOptions,
): readonly string[] | undefined {
  const resources = goingCalls(pausedRun, options).map(({ agent, resource }) =>
    agent === undefined ? resource : undefined,
  );
  const known = resources.filter((resource) => resource !== undefined);
  return known.length === resources.length ? known : undefined;
}

function assertNoConversation(settings: object): void {
  for (const field of ['prompt', 'messages'])
    if (field in settings)
      throw new ConfigurationError(
        `resumeTask: settings.${field}: expected none, a resumed run goes on with its own conversation`,
        [`settings.${field}`],
      );
}

import {
  type AgentRun,
  AuthError,
  ConfigurationError,
  type Outlive,
  type Pause,
  type RunOutcome,
} from '@outlive/core';
import type { ModelMessage } from 'ai';
import { type AgentLike, isAgent } from './agent.ts';
import { assertPausedRun, type PausedRun, resumedMessages } from './paused-run.ts';
import { generateWithAgent, runFunction, type StreamRun, streamWithAgent } from './run-loop.ts';
import { isLoopFunction, notRunnable } from './with-task.ts';

/** What `resumeTask` needs of an `Outlive`. */
export type Resumer = Pick<Outlive, 'resume' | 'task'>;

/** How a paused run is resumed. */
export interface ResumeTaskOptions {
  /** Ids of pending calls that the person refused: the model is told, and they do not run. */
  readonly decline?: readonly string[];
  /** Resumes although another process has said that it does; for when that one is known to be gone. */
  readonly takeOver?: boolean;
}

/** Settings without the conversation: a resumed run goes on with its own. */
export type ResumeSettings<Settings> = Omit<Settings, 'prompt' | 'messages'>;

/** The outcome of a resumed run that was not started: it still waits, or it has ended. */
export type NotResumed<Result> = Exclude<RunOutcome<Result, PausedRun>, { status: 'completed' }> & {
  readonly stream?: never;
};

type ResumeArguments<Args extends readonly unknown[]> =
  Record<never, never> extends ResumeSettings<Args[0]>
    ? [options?: ResumeSettings<Args[0]>]
    : [options: ResumeSettings<Args[0]>];

/** An agent that goes on with a paused run. */
export interface ResumedAgent<A extends AgentLike> {
  generate(
    ...args: ResumeArguments<Parameters<A['generate']>>
  ): Promise<RunOutcome<Awaited<ReturnType<A['generate']>>, PausedRun>>;
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
): (settings: ResumeSettings<Settings>) => Promise<RunOutcome<Result, PausedRun>>;
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
  assertPausedRun(pausedRun);
  assertDeclined(pausedRun, options);
  const resume =
    <Outcome>(start: (run: AgentRun, settings: object) => Outcome) =>
    async (settings: object = {}): Promise<Outcome | NotResumed<unknown>> => {
      assertNoConversation(settings);
      const opened = await reopen(outlive, pausedRun, options);
      if ('status' in opened) return opened;
      return start(opened.run, { ...settings, messages: opened.messages });
    };
  if (isAgent(target))
    return {
      generate: resume((run, settings) => generateWithAgent(run, target, settings)),
      stream: resume((run, settings) => streamWithAgent(run, target, settings)),
    };
  if (isLoopFunction(target)) return resume((run, settings) => runFunction(run, target, settings));
  throw notRunnable('resumeTask', target);
}

interface Conversation {
  readonly messages: ModelMessage[];
}

/** Asks whether the task may go on, and reserves the refused calls for this run. */
async function reopen(
  outlive: Resumer,
  pausedRun: PausedRun,
  { decline = [], takeOver }: ResumeTaskOptions,
): Promise<({ readonly run: AgentRun } & Conversation) | NotResumed<unknown>> {
  const resumed = await outlive.resume(pausedRun.pauseId);
  if (resumed.status === 'waiting') return stillPaused(pausedRun, resumed.pause);
  if (resumed.status === 'ended') return ended(resumed.taskStatus);
  const task = await outlive.task(resumed.taskId);
  if (task === undefined) return failed(new AuthError('task_ended', { detail: 'no such task' }));

  const declined = new Set(decline);
  const toolCallIds = pausedRun.pending
    .map(({ toolCallId }) => toolCallId)
    .filter((toolCallId) => !declined.has(toolCallId));
  try {
    const run = await task.resumeRun({
      runId: pausedRun.runId,
      toolCallIds,
      ...(takeOver !== undefined && { takeOver }),
    });
    if (run.resumableCalls.size + run.happenedCalls.size === toolCallIds.length)
      return { run, messages: resumedMessages(pausedRun, declined, run.happenedCalls) };
    // Nobody can tell whether one of the calls had its effect already: a person is asked first.
    const end = await run.finish();
    if (end.status === 'paused') return stillPaused(pausedRun, end.pause);
    return end.status === 'failed' ? failed(end.error) : ended(end.status);
  } catch (error) {
    // Another process was faster: an expected outcome of a race, and nothing ran here.
    if (AuthError.is(error)) return failed(error);
    throw error;
  }
}

function stillPaused(pausedRun: PausedRun, pause: Pause): NotResumed<unknown> {
  const state = { ...pausedRun, pauseId: pause.id };
  return { status: 'paused', pause, partialResult: undefined, state, ledger: [] };
}

function ended(status: string): NotResumed<unknown> {
  return status === 'cancelled' || status === 'expired'
    ? { status, ledger: [] }
    : failed(new AuthError('task_ended', { reason: status }));
}

function failed(error: unknown): NotResumed<unknown> {
  return { status: 'failed', error, ledger: [] };
}

function assertDeclined({ pending }: PausedRun, { decline = [] }: ResumeTaskOptions): void {
  const unknown = decline.find((id) => !pending.some(({ toolCallId }) => toolCallId === id));
  if (unknown === undefined) return;
  throw new ConfigurationError(
    `resumeTask: options.decline: expected ids of pending calls, got ${JSON.stringify(unknown)}`,
    ['options.decline'],
  );
}

function assertNoConversation(settings: object): void {
  for (const field of ['prompt', 'messages'])
    if (field in settings)
      throw new ConfigurationError(
        `resumeTask: settings.${field}: expected none, a resumed run goes on with its own conversation`,
        [`settings.${field}`],
      );
}

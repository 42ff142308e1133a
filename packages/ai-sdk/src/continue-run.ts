import {
  type AgentRun,
  AuthError,
  endedRun,
  failedRun,
  type RunOutcome,
  stillPaused,
  type Task,
} from '@outlive/core';
import type { ModelMessage } from 'ai';
import { type Answers, answeredMessages, repliedTo } from './answers.ts';
import type { PartialResult } from './outcome.ts';
import type { PausedRun, PendingCall } from './paused-run.ts';

/** A run that begins: what its loop is guarded with. */
export interface LoopStart {
  readonly task: Task;
  readonly run: AgentRun;
  /** Agents that were called as tools and go on with the run, by the id of the call. */
  readonly agents: ReadonlyMap<string, PausedRun>;
  /** Whether what another process has begun to resume is taken over. */
  readonly takeOver: boolean;
}

/** A run that goes on, and the conversation it goes on with. */
export interface ContinuedRun extends LoopStart {
  readonly messages: ModelMessage[];
}

/** The outcome of a resumed run that was not started: it still waits, or it has ended. */
export type NotResumed<Result> = Exclude<
  RunOutcome<Result, PausedRun, PartialResult<Result>>,
  { status: 'completed' }
> & {
  readonly stream?: never;
};

/** A new run under a task. */
export function newRun(task: Task): LoopStart {
  return { task, run: task.startRun(), agents: new Map(), takeOver: false };
}

/** The refused calls that run again. */
export function goingCalls(
  { pending }: PausedRun,
  { decline = [], reply }: Answers,
): readonly PendingCall[] {
  return pending.filter(
    ({ toolCallId, waitsFor }) =>
      waitsFor === 'authority' && reply === undefined && !decline.includes(toolCallId),
  );
}

/** Reserves the refused calls of a paused run, so that of two processes that try, one goes on. */
export async function continueRun(
  task: Task,
  pausedRun: PausedRun,
  answers: Answers & { readonly takeOver?: boolean },
): Promise<ContinuedRun | NotResumed<unknown>> {
  const { decline = [], takeOver = false } = answers;
  const going = goingCalls(pausedRun, answers);
  const toolCallIds = going.filter(({ agent }) => !agent).map(({ toolCallId }) => toolCallId);
  const agents = new Map(
    going.flatMap(({ toolCallId, agent }) => (agent ? [[toolCallId, agent] as const] : [])),
  );
  const { runId, pauseId } = pausedRun;
  const declined = pausedRun.pending
    .filter(({ waitsFor, agent }) => waitsFor === 'authority' && !agent)
    .map(({ toolCallId }) => toolCallId)
    .filter((toolCallId) => decline.includes(toolCallId));
  try {
    const run = await task.resumeRun({ runId, pauseId, toolCallIds, decline: declined, takeOver });
    const { resumableCalls, happenedCalls } = run;
    if (resumableCalls.size + happenedCalls.size === toolCallIds.length) {
      const messages = answeredMessages(pausedRun, answers, happenedCalls);
      return { task, run, agents, takeOver, messages };
    }
    // Nobody can tell whether one of the calls had its effect already: a person is asked first.
    const end = await run.finish();
    if (end.status === 'paused') return stillPaused(repliedTo(pausedRun, answers), end.pause);
    return end.status === 'failed' ? failedRun(end.error) : endedRun(end.status);
  } catch (error) {
    // Another process was faster: an expected outcome of a race, and nothing ran here.
    if (AuthError.is(error)) return failedRun(error);
    throw error;
  }
}

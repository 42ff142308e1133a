import { INTERRUPT, type Interrupt, isInterrupted } from '@langchain/langgraph';
import type { RunOutcome } from '@outlive/core';
import { type PausedRun, storedMessages } from './paused-run.ts';
import type { TaskBinding } from './task-binding.ts';

/**
 * How a run of an agent or a graph ended. Only `completed` has a `result`, so a run that waits cannot be read as a
 * success.
 *
 * `interrupted` is LangGraph's own: a tool or a middleware asked somebody. The task goes on; so does the run, with
 * the answer.
 */
export type AgentOutcome<Result> =
  | RunOutcome<Result, PausedRun>
  | {
      readonly status: 'interrupted';
      readonly interrupts: readonly Interrupt[];
      readonly partialResult: Result;
      readonly ledger: RunOutcome<Result, PausedRun>['ledger'];
    };

/** How LangGraph ended; the run may have ended otherwise. */
export type GraphEnd<Result> = { readonly result: Result } | { readonly error: unknown };

/** What is known about an invocation when it has ended. */
export interface Invocation {
  readonly binding: TaskBinding;
  readonly threadId: string | undefined;
}

/** The honest outcome of an invocation: what the store knows goes before what LangGraph returned. */
export async function conclude<Result>(
  invocation: Invocation,
  end: GraphEnd<Result>,
): Promise<AgentOutcome<Result>> {
  const { binding, threadId } = invocation;
  const guard = await binding.guard(threadId);
  const { runs } = binding;
  const ledger = runs.flatMap((run) => run.ledger);
  const run = runs.findLast(({ refusals }) => refusals.length > 0) ?? guard.run;
  const finished = await run.finish();
  switch (finished.status) {
    case 'paused':
      return {
        status: 'paused',
        pause: finished.pause,
        partialResult: 'result' in end ? end.result : undefined,
        state: await suspend(invocation, finished.pause.id),
        ledger,
      };
    case 'cancelled':
    case 'expired':
      return { status: finished.status, ledger };
    case 'failed':
      return { status: 'failed', error: finished.error, ledger };
    case 'completed': {
      const [refusal] = (await binding.guards()).flatMap(({ refusals }) => refusals);
      if (refusal !== undefined) return { status: 'failed', error: refusal.error, ledger };
      if ('error' in end) return { status: 'failed', error: end.error, ledger };
      const { result } = end;
      return isInterrupted(result)
        ? {
            status: 'interrupted',
            interrupts: (result as { readonly [INTERRUPT]: readonly Interrupt[] })[INTERRUPT],
            partialResult: result,
            ledger,
          }
        : { status: 'completed', result, ledger };
    }
  }
}

/** What is kept of a run that was stopped. */
async function suspend({ binding, threadId }: Invocation, pauseId: string): Promise<PausedRun> {
  const { stop, task } = binding;
  const guards = await binding.guards();
  const refused = stop?.calls ?? guards.flatMap(({ refusals }) => refusals);
  const runId = stop?.runId ?? (await binding.guard(threadId)).run.id;
  return {
    version: 1,
    taskId: task.id,
    runId,
    pauseId,
    pending: refused.map(({ toolCallId, toolName }) => ({ toolCallId, toolName })),
    ...(threadId === undefined ? {} : { threadId }),
    ...(stop?.messages === undefined ? {} : { messages: storedMessages(stop.messages) }),
  };
}

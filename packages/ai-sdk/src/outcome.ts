import type { RunOutcome } from '@outlive/core';
import type { PausedRun } from './paused-run.ts';
import type { RunGuard } from './run-guard.ts';
import { suspend } from './suspend.ts';

/**
 * What is left of a run that was stopped: the steps that it took. It has no `text` and no `output`, which would read
 * like an answer.
 */
export interface PartialResult<Result> {
  readonly steps: Result extends { readonly steps: infer Steps } ? Awaited<Steps> : unknown;
}

/** How a run under a task ended. Only `completed` has a `result`. */
export type TaskOutcome<Result> = RunOutcome<Result, PausedRun, PartialResult<Result>>;

/** How the loop itself ended; the run may have ended otherwise. */
export type LoopEnd<Result> = { readonly result: Result } | { readonly error: unknown };

/** The honest outcome of a loop: what the store knows goes before what the SDK returned. */
export async function conclude<Result>(
  guard: RunGuard,
  loop: LoopEnd<Result>,
): Promise<TaskOutcome<Result>> {
  const { run, stopped, agents } = guard;
  const finished = await run.finish();
  // An agent that this loop called is paused, also if another process has resumed the task already.
  const { pause } = agents;
  const end =
    pause !== undefined && finished.status === 'completed'
      ? ({ status: 'paused', pause } as const)
      : finished;
  const ledger = [...run.ledger, ...agents.ledger];
  switch (end.status) {
    case 'paused': {
      const steps = guard.steps as PartialResult<Result>['steps'];
      return {
        status: 'paused',
        pause: end.pause,
        partialResult: guard.steps.length > 0 ? { steps } : undefined,
        state: await suspend(guard, end.pause),
        ledger,
      };
    }
    case 'cancelled':
    case 'expired':
      return { status: end.status, ledger };
    case 'failed':
      return { status: 'failed', error: end.error, ledger };
    case 'completed':
      if (stopped !== undefined) return { status: 'failed', error: stopped, ledger };
      return 'error' in loop
        ? { status: 'failed', error: loop.error, ledger }
        : { status: 'completed', result: loop.result, ledger };
  }
}

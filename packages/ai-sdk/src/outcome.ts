import type { RunOutcome } from '@outlive/core';
import { type PausedRun, suspend } from './paused-run.ts';
import type { RunGuard } from './run-guard.ts';

/** How the loop itself ended; the run may have ended otherwise. */
export type LoopEnd<Result> = { readonly result: Result } | { readonly error: unknown };

/** The honest outcome of a loop: what the store knows goes before what the SDK returned. */
export async function conclude<Result>(
  guard: RunGuard,
  loop: LoopEnd<Result>,
): Promise<RunOutcome<Result, PausedRun>> {
  const { run, stopped } = guard;
  const end = await run.finish();
  const { ledger } = run;
  switch (end.status) {
    case 'paused':
      return {
        status: 'paused',
        pause: end.pause,
        partialResult: 'result' in loop ? loop.result : undefined,
        state: suspend(guard, end.pause),
        ledger,
      };
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

import { ConfigurationError, type RunOutcome, type Task } from '@outlive/core';
import { type Guard, GuardedCalls } from './guarded-calls.ts';
import type { PartialResult } from './outcome.ts';
import type { PausedRun } from './paused-run.ts';

/**
 * Runs several guarded calls as one: the outcome is `completed` with what the body makes of their results.
 *
 * A guarded call that does not complete rejects. Once one was paused, or got no authority, the outcome is that, and no
 * other guarded call begins, whatever the body does with the rejection. `state` is that of the call which was paused:
 * resume it with `resumeTask`, and go on from its outcome.
 *
 * @throws {ConfigurationError} (as a rejection) when the body guarded no call, or left a guarded stream unread.
 */
export async function runTask<Result>(
  task: Task,
  body: (guard: Guard) => PromiseLike<Result>,
): Promise<RunOutcome<Result, PausedRun, PartialResult<unknown>>> {
  const calls = new GuardedCalls(task);
  const ended = await bodyEnd(body, calls.guard);
  const { ledger, stopped } = calls;
  if (stopped !== undefined) return { ...stopped, ledger };
  if ('error' in ended) return { status: 'failed', error: ended.error, ledger };
  if (!calls.used)
    throw new ConfigurationError(
      'runTask: body: expected it to make its calls through guard, got none that it guarded',
      ['body'],
    );
  if (calls.unread)
    throw new ConfigurationError(
      'runTask: body: expected it to read its streams to their end, got one that it left unread',
      ['body'],
    );
  return { status: 'completed', result: ended.result, ledger };
}

async function bodyEnd<Result>(
  body: (guard: Guard) => PromiseLike<Result>,
  guard: Guard,
): Promise<{ readonly result: Result } | { readonly error: unknown }> {
  try {
    return { result: await body(guard) };
  } catch (error) {
    return { error };
  }
}

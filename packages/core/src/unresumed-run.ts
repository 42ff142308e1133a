import { AuthError, ConfigurationError } from './errors.ts';
import type { Pause } from './pause-record.ts';
import type { RunOutcome } from './run-outcome.ts';

/** What every adapter keeps of a paused run. JSON, without a token. */
export interface PausedRunReference {
  readonly version: 1;
  readonly taskId: string;
  readonly runId: string;
  readonly pauseId: string;
}

/**
 * Checks what came back from wherever the app kept a paused run. `lists` names what else an adapter keeps: arrays.
 *
 * @throws {ConfigurationError} naming the field, what was expected and what came.
 */
export function checkPausedRun(value: unknown, lists: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw wrongPausedRun('', 'an object', value);
  const run = new Map<string, unknown>(Object.entries(value));
  if (run.get('version') !== 1)
    throw new ConfigurationError(
      `resumeTask: pausedRun.version: expected 1, got ${String(run.get('version'))}`,
      ['pausedRun.version'],
    );
  for (const field of ['taskId', 'runId', 'pauseId'])
    if (typeof run.get(field) !== 'string') throw wrongPausedRun(field, 'a string', run.get(field));
  for (const field of lists)
    if (!Array.isArray(run.get(field))) throw wrongPausedRun(field, 'an array', run.get(field));
}

/** What is said of a field of a paused run that is not what it must be; of the whole when `field` is empty. */
export function wrongPausedRun(field: string, expected: string, came: unknown): ConfigurationError {
  const path = field === '' ? 'pausedRun' : `pausedRun.${field}`;
  return new ConfigurationError(
    `resumeTask: ${path}: expected ${expected}, got ${came === null ? 'null' : typeof came}`,
    [path],
  );
}

/** The outcome of a paused run that was not started again. */
export type UnresumedRun<State> = Exclude<
  RunOutcome<never, State, never>,
  { readonly status: 'completed' }
>;

/** The run waits as it did, if for another pause. */
export function stillPaused<State extends PausedRunReference>(
  pausedRun: State,
  pause: Pause,
): UnresumedRun<State> {
  const state = { ...pausedRun, pauseId: pause.id };
  return { status: 'paused', pause, partialResult: undefined, state, ledger: [] };
}

/** The task has ended, and the run with it. */
export function endedRun(taskStatus: string): UnresumedRun<never> {
  return taskStatus === 'cancelled' || taskStatus === 'expired'
    ? { status: taskStatus, ledger: [] }
    : failedRun(new AuthError('task_ended', { reason: taskStatus }));
}

/** The run could not be resumed. */
export function failedRun(error: unknown): UnresumedRun<never> {
  return { status: 'failed', error, ledger: [] };
}

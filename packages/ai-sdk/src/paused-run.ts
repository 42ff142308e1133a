import { type AuthErrorCode, ConfigurationError } from '@outlive/core';
import type { ModelMessage } from 'ai';

/**
 * A call that was not made, and what it waits for.
 *
 * - `authority`: the task may not make it, for the reason that `code` says. It runs when the task goes on.
 * - `approval`: the app itself wants a person's approval (`needsApproval`, `toolApproval`).
 * - `result`: the tool runs elsewhere, in a browser for example, and has not answered.
 */
export interface PendingCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly waitsFor: 'authority' | 'approval' | 'result';
  /** The id of its approval request in the conversation; a call that waits for a result has none. */
  readonly approvalId?: string;
  /** Why the task may not make it. */
  readonly code?: AuthErrorCode;
  /** The resource that it asked for, by name. */
  readonly resource?: string;
  /** For an agent that was called as a tool: where it stopped. */
  readonly agent?: PausedRun;
}

/**
 * What is needed to resume a paused run, in this or another process: plain JSON, without a token.
 *
 * The conversation is as the model left it: the calls that wait are unanswered. The system prompt is not in it; it
 * belongs to the settings of the run.
 */
export interface PausedRun {
  readonly version: 1;
  readonly taskId: string;
  readonly runId: string;
  readonly pauseId: string;
  readonly messages: ModelMessage[];
  readonly pending: readonly PendingCall[];
}

/**
 * Checks what came back from wherever the app kept it.
 *
 * @throws {ConfigurationError} when it is not a paused run.
 */
export function assertPausedRun(value: PausedRun): void {
  const run: Partial<PausedRun> | null | undefined = value;
  const wrong = (path: string, expected: string, came: unknown): ConfigurationError =>
    new ConfigurationError(
      `resumeTask: ${path}: expected ${expected}, got ${came === null ? 'null' : typeof came}`,
      [path],
    );
  if (typeof run !== 'object' || run === null) throw wrong('pausedRun', 'an object', run);
  if (run.version !== 1)
    throw new ConfigurationError(
      `resumeTask: pausedRun.version: expected 1, got ${String(run.version)}`,
      ['pausedRun.version'],
    );
  for (const field of ['taskId', 'runId', 'pauseId'] as const)
    if (typeof run[field] !== 'string') throw wrong(`pausedRun.${field}`, 'a string', run[field]);
  for (const field of ['messages', 'pending'] as const)
    if (!Array.isArray(run[field])) throw wrong(`pausedRun.${field}`, 'an array', run[field]);
}

import type { AuthErrorCode, PausedRunReference } from '@outlive/core';
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
export interface PausedRun extends PausedRunReference {
  readonly messages: ModelMessage[];
  readonly pending: readonly PendingCall[];
}

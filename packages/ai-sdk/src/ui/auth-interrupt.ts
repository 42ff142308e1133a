import type { ApproverRole, AuthErrorCode, Effect, Recovery } from '@outlive/core';

/** A refused call that waits in the chat as an approval request. */
export interface InterruptedCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly approvalId: string;
  /** Name of the resource it needs, as the app configured it. */
  readonly resource: string;
  readonly effect: Effect;
  /** Why this call was refused; a sibling of the first one may have another reason. */
  readonly code: AuthErrorCode;
}

/** What a person said: go on, for example because they have connected their account, or leave it. */
export type InterruptAnswer = 'resume' | 'decline';

/**
 * Why an assistant's message waits, as the data part `data-auth-interrupt` tells the browser.
 *
 * Safe to show and to store: no token, URL, scope or text of an issuer.
 */
export interface AuthInterrupt {
  readonly code: AuthErrorCode;
  readonly recovery: Recovery;
  /** The pause to decide about. Absent when there is no task, because it could not be started. */
  readonly pauseId?: string;
  /** The calls that run again. Empty when the task waits as a whole. */
  readonly calls: readonly InterruptedCall[];
  /** Who must confirm, each role by a different person. */
  readonly requires: readonly ApproverRole[];
  /** The roles in which somebody has confirmed already. */
  readonly confirmed: readonly ApproverRole[];
  /** Absent while it waits. */
  readonly answer?: InterruptAnswer;
}

/** The data parts of a chat that can be interrupted: `UIMessage<unknown, AuthInterruptParts>`. */
export type AuthInterruptParts = {
  readonly 'auth-interrupt': AuthInterrupt;
};

/** The data part itself. */
export interface AuthInterruptPart {
  readonly type: 'data-auth-interrupt';
  /** The same id again replaces the part. */
  readonly id?: string;
  readonly data: AuthInterrupt;
}

/** Whether a part of a message is an authorization interrupt. */
export function isAuthInterrupt<Part extends { readonly type: string }>(
  part: Part,
): part is Part & AuthInterruptPart {
  return part.type === 'data-auth-interrupt';
}

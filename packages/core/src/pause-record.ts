import type { AuthErrorCode, Recovery } from './errors.ts';
import type { Effect } from './requirement.ts';

/** Who may be asked to decide about a pause. */
export type ApproverRole = 'user' | 'manager' | 'admin' | 'operator';

/** An authenticated person, as the app's authorizer named them. */
export interface Approver {
  readonly id: string;
  readonly roles: readonly ApproverRole[];
}

/** One person's word towards a decision, and the role they gave it in. */
export interface Confirmation {
  readonly approver: Approver;
  readonly as: ApproverRole;
  /** Epoch ms. */
  readonly at: number;
}

/** Why a task waits. */
export interface PauseReason {
  readonly code: AuthErrorCode;
  readonly recovery: Recovery;
  /** Finer reason within the code: the OAuth error, the user's state, the scopes that were missing. */
  readonly reason?: string;
  readonly requiredScopes?: readonly string[];
  readonly acrValues?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/** A person's word on a pause. */
export interface Decision {
  readonly decision: 'resume' | 'cancel';
  readonly by: readonly Confirmation[];
  /** Epoch ms. */
  readonly at: number;
  readonly comment?: string;
  /** Calls with an unknown outcome that may run again. */
  readonly rerun?: readonly string[];
}

/** The durable record that a task waits, why, and for whom. */
export interface Pause {
  readonly id: string;
  readonly taskId: string;
  readonly reason: PauseReason;
  /** The call that was refused, and what it needed; absent when the app paused the task itself. */
  readonly call?: {
    readonly toolCallId: string;
    readonly toolName: string;
    readonly resource: string;
    readonly scopes: readonly string[];
    readonly effect: Effect;
  };
  /**
   * `open` waits for people; `decided` waits for a process that resumes; `claimed` is being resumed by one;
   * `consumed` has been; `cancelled` and `expired` never will be.
   */
  readonly status: 'open' | 'decided' | 'claimed' | 'consumed' | 'cancelled' | 'expired';
  /** Each role must confirm, each by a different person. */
  readonly requires: readonly ApproverRole[];
  /** Who has confirmed so far. */
  readonly confirmedBy: readonly Confirmation[];
  /** Epoch ms. */
  readonly openedAt: number;
  /** Epoch ms after which the pause is no longer resumable. */
  readonly expiresAt?: number;
  readonly decision?: Decision;
  /** The process that resumes, and when it said so. */
  readonly claim?: { readonly id: string; readonly at: number };
}

/** The roles that have not confirmed yet. */
export function missingRoles(pause: Pause): ApproverRole[] {
  const missing = [...pause.requires];
  for (const { as } of pause.confirmedBy) {
    const at = missing.indexOf(as);
    if (at >= 0) missing.splice(at, 1);
  }
  return missing;
}

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
  /** Calls with an unknown outcome that may run again, as this person says. */
  readonly rerun?: readonly string[];
  /** Calls with an unknown outcome that have had their effect, as this person says. */
  readonly happened?: readonly string[];
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

/** One step of a pause's ladder. */
export interface PauseStep {
  readonly roles: readonly ApproverRole[];
  /** How long it lasts before the next one begins; absent: until the pause expires. */
  readonly forMs?: number;
}

/** What one notifier has to tell about one step, and whether it has. */
export interface PauseNotice {
  readonly notifier: string;
  readonly step: number;
  readonly status: 'due' | 'sending' | 'sent';
  /** How often it was tried. */
  readonly attempts: number;
  /** Epoch ms at which it is tried, or given up by whoever tries it now. */
  readonly dueAt: number;
}

/** A person's word on a pause. */
export interface Decision {
  readonly decision: 'resume' | 'cancel';
  readonly by: readonly Confirmation[];
  /** Epoch ms. */
  readonly at: number;
  readonly comment?: string;
  /** Calls with an unknown outcome that may run again: everybody who confirmed has said so. */
  readonly rerun?: readonly string[];
  /** Calls with an unknown outcome that have had their effect and do not run again: everybody who confirmed has said so. */
  readonly happened?: readonly string[];
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
  /** Who is asked now: the roles of the step that has begun. Each must confirm, each by a different person. */
  readonly requires: readonly ApproverRole[];
  /** Who is asked one after the other; empty when nobody has to confirm. */
  readonly steps: readonly PauseStep[];
  /** The position of the step that has begun. */
  readonly step: number;
  /** Epoch ms at which that step is over; absent: when the pause expires. */
  readonly stepEndsAt?: number;
  /** Who has been told, or is to be. */
  readonly notices: readonly PauseNotice[];
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

import type { ApproverRole, Pause, PauseReason } from './pause-record.ts';
import type { Principal } from './principal.ts';

/** What people are told when a task waits for them. It holds no token, no argument of the call and no answer to it. */
export interface EscalationNotice {
  readonly pauseId: string;
  readonly taskId: string;
  readonly agent: string;
  readonly principal: Principal;
  /** Who is asked. All of these roles must confirm, each a different person. */
  readonly roles: readonly ApproverRole[];
  /** The step of the ladder that has begun, from 1. */
  readonly step: number;
  readonly steps: number;
  /** Why the task waits. */
  readonly reason: PauseReason;
  /** The call that was refused; absent when the app paused the task itself. */
  readonly call?: Pause['call'];
  /** Epoch ms. */
  readonly openedAt: number;
  /** Epoch ms at which others are asked, or the task ends. */
  readonly respondBy?: number;
}

/** What a notifier gets beside the notice. */
export interface NotifyContext {
  /** The same whenever this notice is sent again: a receiver that knows it has been told already. */
  readonly idempotencyKey: string;
  /** Aborts when the time for this attempt is over. */
  readonly signal: AbortSignal;
}

/** Tells people that a task waits for them: a webhook, a mail, a message. */
export interface Notifier {
  /** Stands in the pause and in the audit log. The same in every process. */
  readonly name: string;
  /**
   * Sends one notice, within ten seconds. A throw is tried again, with growing waits, for as long as people are
   * asked; so is an attempt whose process is gone. Use `idempotencyKey` to tell a repetition.
   */
  notify(notice: EscalationNotice, context: NotifyContext): void | Promise<void>;
}

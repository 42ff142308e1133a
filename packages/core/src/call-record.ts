import type { AuthErrorCode } from './errors.ts';
import type { Effect } from './requirement.ts';

/** What is known about a credentialed call: it ran, it was refused authority (safe to run again), or nobody can tell. */
export type CallOutcome = 'done' | 'refused' | 'unknown';

/** One credentialed call of a run. */
export interface LedgerEntry {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly effect: Effect;
  readonly outcome: CallOutcome;
  /** Why it was refused, or cannot run again. */
  readonly code?: AuthErrorCode;
  readonly pauseId?: string;
}

/** The durable record of a call that is not a plain successful read. */
export interface CallRecord {
  readonly taskId: string;
  readonly toolCallId: string;
  readonly toolName: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly effect: Effect;
  /** Keyed hash over tool, input, requirement and principal: a resumed call must match it. */
  readonly match: string;
  /**
   * - `started`: durable before the first request of a non-read call leaves.
   * - `resuming`: refused before, and reserved by the one run that may run it again.
   * - `suspended`: the framework stopped the tool half way to ask somebody, and will run it again from its start.
   * - `declined`: a person does not want it to run (again).
   */
  readonly status: 'started' | 'resuming' | 'suspended' | 'declined' | CallOutcome;
  /** The run that wrote this status; only it may go on from `started` or `resuming`. */
  readonly runId: string;
  /** Tells two processes that resume the same run apart. */
  readonly holder: string;
  /** 1 for the first time the call ran. */
  readonly attempt: number;
  readonly at: number;
  /** Nobody saw the end of it; people have said that it had its effect. */
  readonly happened?: true;
  readonly code?: AuthErrorCode;
  readonly pauseId?: string;
}

/** What the store knows about a call of a run, whichever process made it. */
export type StoredCall = Pick<
  CallRecord,
  'toolCallId' | 'toolName' | 'resource' | 'status' | 'happened' | 'code' | 'pauseId'
>;

/** What can happen to a task and to the grants it uses. Noun, then verb in the past tense. */
export type AuditEventType =
  | 'task-started'
  | 'task-paused'
  | 'task-resumed'
  | 'task-completed'
  | 'task-cancelled'
  | 'task-failed'
  | 'task-expired'
  | 'grant-imported'
  | 'grant-connected'
  | 'grant-died'
  | 'refresh-claimed'
  | 'refresh-deferred'
  | 'refresh-abandoned'
  | 'refresh-in-doubt'
  | 'refresh-recovered'
  | 'token-refreshed'
  | 'token-withheld'
  | 'token-rejected'
  | 'tool-call-started'
  | 'tool-call-settled'
  | 'user-state-changed'
  | 'signal-received'
  | 'signal-unmatched'
  | 'hold-opened'
  | 'hold-ended'
  | 'switch-thrown'
  | 'switch-released'
  | 'decision-made'
  | 'decision-refused'
  | 'pause-claimed'
  | 'pause-expired'
  | 'escalation-sent'
  | 'escalation-failed'
  | 'escalation-advanced'
  | 'exchange-claimed'
  | 'exchange-deferred'
  | 'exchange-abandoned'
  | 'exchange-in-doubt'
  | 'exchange-recovered'
  | 'token-exchanged'
  | 'delegation-minted'
  | 'delegation-withdrawn'
  | 'delegation-revoked'
  | 'delegation-revocation-failed';

/** One thing that happened. Holds ids, names and counts; never a token, an argument or a response. */
export interface AuditEvent {
  readonly type: AuditEventType;
  /** Epoch ms on the clock of the process that wrote it. */
  readonly at: number;
  readonly taskId?: string;
  /** Keyed hash of the grant's key. */
  readonly grant?: string;
  /** Keyed hash of the principal. */
  readonly principal?: string;
  readonly agent?: string;
  readonly provider?: string;
  readonly resource?: string;
  readonly scopes?: readonly string[];
  readonly attempt?: string;
  readonly generation?: number;
  /** The agent loop that a call belongs to: within one, tool call ids are unique. */
  readonly runId?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly effect?: string;
  readonly outcome?: string;
  readonly pauseId?: string;
  readonly delegationId?: string;
  /** Who decided, as the authorizer named them. */
  readonly by?: string;
  readonly code?: string;
  readonly reason?: string;
  /** Which process: an id it drew at start. */
  readonly process?: string;
}

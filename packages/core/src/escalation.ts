import type { ApproverRole, PauseReason } from './pause-record.ts';
import type { Effect } from './requirement.ts';

/** What an escalation policy decides by. */
export interface EscalationContext {
  readonly reason: PauseReason;
  /** Absent when the app paused the task itself. */
  readonly effect: Effect | undefined;
}

/**
 * Who must confirm before a paused task goes on; each role by a different person. An empty list lets the task go
 * on as soon as what it waits for has passed.
 */
export type EscalationPolicy = (context: EscalationContext) => readonly ApproverRole[];

/**
 * The default: what passes by itself waits for nobody; a person who was stopped never confirms for themselves;
 * what the operator must repair waits for the operator; else the user, and for what cannot be undone the user
 * and an admin.
 */
export const defaultEscalation: EscalationPolicy = ({ reason, effect }) => {
  if (reason.recovery === 'wait') return [];
  if (reason.code === 'user_state') return reason.reason === 'unknown' ? [] : ['admin'];
  if (reason.recovery === 'operator') return ['operator'];
  return effect === 'irreversible' ? ['user', 'admin'] : ['user'];
};

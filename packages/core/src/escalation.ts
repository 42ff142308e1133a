import * as z from 'zod';
import type { ApproverRole, PauseReason, PauseStep } from './pause-record.ts';
import type { Principal } from './principal.ts';
import type { Effect } from './requirement.ts';
import { checked } from './validation.ts';

/** What an escalation policy decides by. */
export interface EscalationContext {
  readonly reason: PauseReason;
  /** Absent when the app paused the task itself. */
  readonly effect: Effect | undefined;
  /** The very call that was refused, for rules that are finer than by effect; absent when the app paused the task itself. */
  readonly call:
    | {
        readonly toolName: string;
        readonly toolCallId: string;
        readonly resource: string;
        readonly scopes: readonly string[];
        /** What the tool was called with. It is not stored; absent where only the call's record is left. */
        readonly input?: unknown;
      }
    | undefined;
  readonly task: {
    readonly id: string;
    readonly principal: Principal;
    readonly agent: string;
  };
}

/** One step of a ladder: who is asked, and for how long before the next step begins. */
export interface EscalationStep {
  /** All of them must confirm, each a different person. */
  readonly roles: readonly ApproverRole[];
  /** Needed on every step but the last: without it the last one lasts until `policy.pauseExpiresMs` is over. */
  readonly forMs?: number;
}

/** Who must confirm before a paused task goes on. */
export type Escalation =
  /** All of these roles, each a different person. Nobody: it goes on as soon as what it waits for has passed. */
  | readonly ApproverRole[]
  /**
   * One step after the other. Who was asked in an earlier step may still answer; the word of a step that has not
   * begun does not count. The pause expires with the last step.
   */
  | { readonly steps: readonly EscalationStep[] }
  /** Nobody may: the task fails at once. */
  | 'fail';

/** Says who must confirm. A policy that throws, or answers something else, leaves it to the operator. */
export type EscalationPolicy = (context: EscalationContext) => Escalation;

const hourMs = 3_600_000;

/**
 * The default: what passes by itself waits for nobody; a person who was stopped never confirms for themselves;
 * what the operator must repair waits for the operator. Else the user: for what can be undone an admin may after
 * four hours, and for what cannot be undone an admin must confirm too.
 */
export const defaultEscalation: EscalationPolicy = ({ reason, effect }) => {
  if (reason.recovery === 'wait') return [];
  if (reason.code === 'user_state') return reason.reason === 'unknown' ? [] : ['admin'];
  if (reason.recovery === 'operator') return ['operator'];
  if (effect === 'irreversible') return ['user', 'admin'];
  if (effect === 'reversible')
    return { steps: [{ roles: ['user'], forMs: 4 * hourMs }, { roles: ['admin'] }] };
  return ['user'];
};

const roles = z.array(z.enum(['user', 'manager', 'admin', 'operator'])).readonly();
const step = z.strictObject({
  roles: roles.refine((list) => list.length > 0, 'expected at least one role'),
  forMs: z.number().positive().optional(),
});
const escalationSchema = z.union([
  z.literal('fail'),
  roles,
  z.strictObject({
    steps: z
      .array(step)
      .min(1, 'expected at least one step')
      .refine(
        (steps) => steps.slice(0, -1).every(({ forMs }) => forMs !== undefined),
        'expected forMs on every step but the last',
      ),
  }),
]);

/**
 * The steps that a policy's answer stands for; none when nobody has to confirm.
 *
 * @throws {ConfigurationError} when the answer is none.
 */
export function stepsOf(escalation: Escalation): readonly PauseStep[] | 'fail' {
  checked(escalationSchema, escalation, 'policy.escalate');
  if (escalation === 'fail') return escalation;
  if ('steps' in escalation) return escalation.steps;
  return escalation.length === 0 ? [] : [{ roles: escalation }];
}

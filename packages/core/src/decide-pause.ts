import * as z from 'zod';
import { ConfigurationError } from './errors.ts';
import {
  type Approver,
  type ApproverRole,
  type Confirmation,
  missingRoles,
  type Pause,
} from './pause-record.ts';
import type { PauseContext } from './pauses.ts';
import type { TaskRecord } from './task-record.ts';
import { hasEnded } from './task-state.ts';
import { checked } from './validation.ts';

/** What a person says about a pause. `by` is whatever the app's authorizer needs to find out who that is. */
export interface DecisionRequest {
  readonly decision: 'resume' | 'cancel';
  readonly by: string;
  readonly comment?: string;
  /** Calls with an unknown outcome that may run again, although they may have had their effect already. */
  readonly rerun?: readonly string[];
}

const decisionSchema = z.strictObject({
  decision: z.enum(['resume', 'cancel']),
  by: z.string().min(1),
  comment: z.string().optional(),
  rerun: z.array(z.string().min(1)).optional(),
});

/** What became of a person's word. */
export type DecisionResult =
  /** The pause is decided; a process may resume or has been told that the task is cancelled. */
  | { readonly status: 'decided'; readonly pause: Pause }
  /** Noted; others must confirm too. */
  | { readonly status: 'waiting'; readonly pause: Pause; readonly missing: readonly ApproverRole[] }
  /** This person may not decide this. Nothing changed; it is in the audit log. */
  | { readonly status: 'refused'; readonly pause: Pause; readonly because: string }
  /** Somebody else was first. */
  | { readonly status: 'closed'; readonly pause: Pause };

/**
 * Takes a person's word. Exactly one decision holds; it carries no authority itself: on resume the gate and the
 * grant are asked again.
 *
 * @throws {ConfigurationError} when an option is wrong, there is no such pause, or no `policy.authorize` to say who
 *   decides.
 */
export async function decide(
  context: PauseContext,
  pauseId: string,
  request: DecisionRequest,
): Promise<DecisionResult> {
  checked(decisionSchema, request, 'decide');
  const { runtime, tasks, pauses } = context;
  const { policy, clock } = runtime;
  if (policy.authorize === undefined)
    throw new ConfigurationError(
      'policy.authorize: expected a function that says who decides; got nothing',
      ['policy.authorize'],
    );
  for (;;) {
    const { version, value: pause } = await pauses.existing(pauseId);
    const task = await pauses.taskOf(pause);
    if (pause.status !== 'open' || hasEnded(task.status)) {
      // Whoever cancelled may have died before it could end the task.
      if (pause.status === 'cancelled' && !hasEnded(task.status))
        await pauses.endTaskOf(pause, version);
      return { status: 'closed', pause };
    }
    const approver = await policy.authorize({ by: request.by, pause });
    const judged = judge(pause, task, approver, request);
    if ('because' in judged) {
      tasks.audit(task, {
        type: 'decision-refused',
        pauseId,
        by: approver?.id ?? 'unknown',
        reason: judged.because,
      });
      return { status: 'refused', pause, because: judged.because };
    }
    const confirmation: Confirmation = { ...judged, at: clock.now() };
    const confirmedBy = [...pause.confirmedBy, confirmation];
    const missing = missingRoles({ ...pause, confirmedBy });
    const final = request.decision === 'cancel' || missing.length === 0;
    const rerun = [...(pause.decision?.rerun ?? []), ...(request.rerun ?? [])];
    const decision = {
      decision: request.decision,
      by: confirmedBy,
      at: clock.now(),
      ...(request.comment === undefined ? {} : { comment: request.comment }),
      ...(rerun.length === 0 ? {} : { rerun }),
    };
    const status = request.decision === 'cancel' ? 'cancelled' : final ? 'decided' : 'open';
    const next: Pause = { ...pause, confirmedBy, status, decision };
    if (!(await pauses.write(next, version))) continue;
    tasks.audit(task, {
      type: 'decision-made',
      pauseId,
      by: confirmation.approver.id,
      outcome: request.decision,
      reason: `as ${confirmation.as}${final ? '' : `; still to confirm: ${missing.join(', ')}`}`,
    });
    if (request.decision === 'cancel') await pauses.endTaskOf(next, version + 1);
    return final ? { status: 'decided', pause: next } : { status: 'waiting', pause: next, missing };
  }
}

/** Whether this person may say this, and in which role. */
function judge(
  pause: Pause,
  task: TaskRecord,
  approver: Approver | undefined,
  request: DecisionRequest,
): { readonly approver: Approver; readonly as: ApproverRole } | { readonly because: string } {
  if (approver === undefined) return { because: 'the authorizer does not know this person' };
  if (approver.id === task.agent) return { because: 'an agent does not decide about itself' };
  const stopped = pause.reason.code === 'user_state';
  if (stopped && approver.id === task.principal.subject)
    return { because: 'a person who was stopped does not decide about it' };
  const again = pause.confirmedBy.some((earlier) => earlier.approver.id === approver.id);
  if (again && request.decision === 'resume')
    return { because: 'this person has confirmed already' };
  const missing = missingRoles(pause);
  // Anyone who could confirm may also say no.
  const as = missing.find((role) => approver.roles.includes(role));
  if (as !== undefined) return { approver, as };
  const asked = pause.requires.find((role) => approver.roles.includes(role));
  if (request.decision === 'cancel' && asked !== undefined) return { approver, as: asked };
  return { because: `none of the roles asked for: ${missing.join(', ')}` };
}

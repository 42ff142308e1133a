import * as z from 'zod';
import { ConfigurationError } from './errors.ts';
import type { UserState } from './gate.ts';
import { keepDeadlines } from './pause-deadlines.ts';
import type { Approver, ApproverRole, Confirmation, Pause } from './pause-record.ts';
import { askedRoles, decisionOf, missingRoles, openRoles } from './pause-steps.ts';
import type { PauseContext } from './pauses.ts';
import type { TaskRecord } from './task-record.ts';
import { hasEnded } from './task-state.ts';
import { checked } from './validation.ts';

/** What a person says about a pause. `by` is whatever the app's authorizer needs to find out who that is. */
export interface DecisionRequest {
  readonly decision: 'resume' | 'cancel';
  readonly by: string;
  readonly comment?: string;
  /**
   * Ids of calls with an unknown outcome that may run again, although they may have had their effect already. Where
   * several people confirm, all of them must say so.
   */
  readonly rerun?: readonly string[];
  /**
   * Ids of calls with an unknown outcome that have had their effect, as this person has found out: they do not run
   * again and count as done. Where several people confirm, all of them must say so.
   */
  readonly happened?: readonly string[];
}

const callIds = z.array(z.string().min(1)).optional();
const decisionSchema = z
  .strictObject({
    decision: z.enum(['resume', 'cancel']),
    by: z.string().min(1),
    comment: z.string().optional(),
    rerun: callIds,
    happened: callIds,
  })
  .refine(({ rerun = [], happened = [] }) => !happened.some((call) => rerun.includes(call)), {
    path: ['happened'],
    error: 'expected calls that are not to run again as well',
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
  const { authorize } = context.runtime.policy;
  if (authorize === undefined)
    throw new ConfigurationError(
      'policy.authorize: expected a function that says who decides; got nothing',
      ['policy.authorize'],
    );
  const { by, ...word } = request;
  return takeWord(context, pauseId, word, async (pause, { id, principal, agent }) =>
    authorize({ by, pause, task: { id, principal, agent } }),
  );
}

/** Takes the word of whoever `identify` says that it is. */
export async function takeWord(
  context: PauseContext,
  pauseId: string,
  word: Omit<DecisionRequest, 'by'>,
  identify: (pause: Pause, task: TaskRecord) => Promise<Approver | undefined>,
): Promise<DecisionResult> {
  const { runtime, tasks, pauses } = context;
  const { clock, userStates } = runtime;
  for (;;) {
    // Who is asked depends on the time, whether or not maintenance has looked at it yet.
    await keepDeadlines(context, pauseId);
    const { version, value: pause } = await pauses.existing(pauseId);
    const task = await pauses.taskOf(pause);
    if (pause.status !== 'open' || hasEnded(task.status)) {
      // Whoever cancelled may have died before it could end the task.
      if (pause.status === 'cancelled' && !hasEnded(task.status))
        await pauses.endTaskOf(pause, version);
      return { status: 'closed', pause };
    }
    const approver = await identify(pause, task);
    const isPrincipal = approver?.id === task.principal.subject;
    const ownState = isPrincipal
      ? (await userStates.check(task.principal, task.subject, 'resume')).state
      : undefined;
    const judged = judge(pause, task, word, { approver, ownState });
    if ('because' in judged) {
      tasks.audit(task, {
        type: 'decision-refused',
        pauseId,
        by: approver?.id ?? 'unknown',
        reason: judged.because,
      });
      return { status: 'refused', pause, because: judged.because };
    }
    const { decision, comment, rerun, happened } = word;
    const confirmation: Confirmation = {
      ...judged,
      at: clock.now(),
      ...(rerun === undefined ? {} : { rerun }),
      ...(happened === undefined ? {} : { happened }),
    };
    const confirmedBy = [...pause.confirmedBy, confirmation];
    const missing = missingRoles({ ...pause, confirmedBy });
    const final = decision === 'cancel' || missing.length === 0;
    const next: Pause = {
      ...pause,
      confirmedBy,
      status: decision === 'cancel' ? 'cancelled' : final ? 'decided' : 'open',
      decision: decisionOf({ confirmedBy }, clock.now(), { decision, comment }),
    };
    if (!(await pauses.write(next, version))) continue;
    tasks.audit(task, {
      type: 'decision-made',
      pauseId,
      by: confirmation.approver.id,
      outcome: decision,
      reason: `as ${confirmation.as}${aboutCalls(word)}${final ? '' : `; still to confirm: ${missing.join(', ')}`}`,
    });
    if (decision === 'cancel') await pauses.endTaskOf(next, version + 1);
    return final ? { status: 'decided', pause: next } : { status: 'waiting', pause: next, missing };
  }
}

/** Whether this person may say this, and in which role. */
function judge(
  pause: Pause,
  task: TaskRecord,
  { decision }: Pick<DecisionRequest, 'decision'>,
  {
    approver,
    ownState,
  }: {
    readonly approver: Approver | undefined;
    /** What the gate says of the approver, where it is the person the task acts for. */
    readonly ownState: UserState | undefined;
  },
): { readonly approver: Approver; readonly as: ApproverRole } | { readonly because: string } {
  if (approver === undefined) return { because: 'the authorizer does not know this person' };
  if (approver.id === task.agent) return { because: 'an agent does not decide about itself' };
  if (ownState !== undefined && pause.reason.code === 'user_state')
    return { because: 'a person who was stopped does not decide about it' };
  if (ownState !== undefined && ownState !== 'active')
    return {
      because: `a person does not decide about their own task while the gate says ${ownState}`,
    };
  const again = pause.confirmedBy.some((earlier) => earlier.approver.id === approver.id);
  if (again && decision === 'resume') return { because: 'this person has confirmed already' };
  // Anyone who could confirm may also say no.
  const as = openRoles(pause).find((role) => approver.roles.includes(role));
  if (as !== undefined) return { approver, as };
  const asked = askedRoles(pause).find((role) => approver.roles.includes(role));
  if (decision === 'cancel' && asked !== undefined) return { approver, as: asked };
  const later = pause.steps.some(({ roles }) =>
    roles.some((role) => approver.roles.includes(role)),
  );
  if (later && asked === undefined) return { because: 'this person is not asked yet' };
  return { because: `none of the roles asked for: ${missingRoles(pause).join(', ')}` };
}

function aboutCalls({ rerun = [], happened = [] }: Omit<DecisionRequest, 'by'>): string {
  const again = rerun.length === 0 ? '' : `; to run again: ${rerun.join(', ')}`;
  const done = happened.length === 0 ? '' : `; has happened: ${happened.join(', ')}`;
  return `${again}${done}`;
}

import type { ApproverRole, Decision, Pause, PauseNotice, PauseStep } from './pause-record.ts';

/** The part of a pause that is its ladder. */
type Ladder = Pick<Pause, 'requires' | 'steps' | 'step' | 'stepEndsAt' | 'notices'>;

/** A ladder at its first step. */
export function firstStep(
  steps: readonly PauseStep[],
  notifiers: readonly string[],
  now: number,
): Ladder {
  return { steps, ...atStep(steps, 0, notifiers, now) };
}

/**
 * The pause at its next step, where its time has come; `undefined` while it has not, or when there is none. Those
 * who confirmed before may be all whom the next step asks: then the pause is decided.
 */
export function nextStep(
  pause: Pause,
  notifiers: readonly string[],
  now: number,
): Pause | undefined {
  const { steps, step, stepEndsAt = Number.POSITIVE_INFINITY, notices } = pause;
  if (pause.status !== 'open' || now < stepEndsAt || step + 1 >= steps.length) return undefined;
  const { stepEndsAt: _over, ...rest } = pause;
  // Counted from now: whoever is asked late has as long to answer as anybody.
  const begun = atStep(steps, step + 1, notifiers, now);
  // What nobody took up to now is told by the notice of the step that begins.
  const told = notices.filter(({ status }) => status !== 'due');
  const next: Pause = { ...rest, ...begun, notices: [...told, ...begun.notices] };
  return missingRoles(next).length === 0
    ? { ...next, status: 'decided', decision: decisionOf(next, now) }
    : next;
}

/** Epoch ms after which nobody can decide any more: the end of the last step, or of the pause. */
export function pauseEndsAt({ status, steps, step, stepEndsAt, expiresAt }: Pause): number {
  const isLast = step + 1 >= steps.length;
  // What people have decided in time waits for a process, and no longer for them.
  const stepEnd = isLast && status === 'open' ? stepEndsAt : undefined;
  return Math.min(stepEnd ?? Number.POSITIVE_INFINITY, expiresAt ?? Number.POSITIVE_INFINITY);
}

/** Epoch ms at which there is something to do for a pause that waits: tell somebody, begin a step, or give it up. */
export function pauseDueAt(pause: Pause): number {
  const notices = pause.status === 'open' ? pause.notices : [];
  const stepEnd = pause.status === 'open' ? pause.stepEndsAt : undefined;
  return Math.min(
    pauseEndsAt(pause),
    stepEnd ?? Number.POSITIVE_INFINITY,
    ...notices.flatMap(({ status, dueAt }) => (status === 'sent' ? [] : [dueAt])),
  );
}

/** Every role that has been asked so far. */
export function askedRoles({ steps, step }: Pause): readonly ApproverRole[] {
  return steps.slice(0, step + 1).flatMap(({ roles }) => roles);
}

/**
 * The roles that have not confirmed yet, of the step that is nearest to its end: each step that has begun may
 * still be answered.
 */
export function missingRoles(pause: Pick<Pause, 'steps' | 'step' | 'confirmedBy'>): ApproverRole[] {
  return pause.steps
    .slice(0, pause.step + 1)
    .map(({ roles }) => missingOf(roles, pause))
    .reduceRight(
      (fewest, missing) => (missing.length < fewest.length ? missing : fewest),
      [...(pause.steps[pause.step]?.roles ?? [])],
    );
}

/** Roles that somebody could still confirm in, of any step that has begun. */
export function openRoles(pause: Pause): ApproverRole[] {
  return pause.steps
    .slice(0, pause.step + 1)
    .toReversed()
    .flatMap(({ roles }) => missingOf(roles, pause));
}

/** What those who have confirmed say together. Of calls with an unknown outcome only what all of them say. */
export function decisionOf(
  { confirmedBy }: Pick<Pause, 'confirmedBy'>,
  now: number,
  word: Pick<Decision, 'decision'> & { readonly comment?: string | undefined } = {
    decision: 'resume',
  },
): Decision {
  const common = (list: 'rerun' | 'happened'): readonly string[] =>
    [...new Set(confirmedBy[0]?.[list])].filter((call) =>
      confirmedBy.every((confirmation) => confirmation[list]?.includes(call)),
    );
  const rerun = common('rerun');
  const happened = common('happened');
  return {
    decision: word.decision,
    by: confirmedBy,
    at: now,
    ...(word.comment === undefined ? {} : { comment: word.comment }),
    ...(rerun.length === 0 ? {} : { rerun }),
    ...(happened.length === 0 ? {} : { happened }),
  };
}

function missingOf(
  roles: readonly ApproverRole[],
  { confirmedBy }: Pick<Pause, 'confirmedBy'>,
): ApproverRole[] {
  const missing = [...roles];
  for (const { as } of confirmedBy) {
    const at = missing.indexOf(as);
    if (at >= 0) missing.splice(at, 1);
  }
  return missing;
}

function atStep(
  steps: readonly PauseStep[],
  step: number,
  notifiers: readonly string[],
  now: number,
): Omit<Ladder, 'steps'> {
  const begun = steps[step];
  const notices = notifiers.map((notifier): PauseNotice => {
    return { notifier, step, status: 'due', attempts: 0, dueAt: now };
  });
  return {
    requires: begun?.roles ?? [],
    step,
    ...(begun?.forMs === undefined ? {} : { stepEndsAt: now + begun.forMs }),
    notices: begun === undefined ? [] : notices,
  };
}

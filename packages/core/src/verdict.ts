import { AuthError } from './errors.ts';
import type { UserState } from './gate.ts';

/** What is known about a person, and who said so. */
export interface Verdict {
  readonly state: UserState;
  readonly source: string;
  /** A kill switch says so: what is stopped is the agent, the tenant or the provider, not the person. */
  readonly isKillSwitch?: true;
}

/** The error of a call that `verdict` denies. */
export function denialOf({ state, source, isKillSwitch }: Verdict): AuthError {
  const detail = `${source} says ${state}`;
  if (isKillSwitch) return new AuthError('stopped_by_operator', { reason: source, detail });
  return new AuthError('user_state', { reason: state, detail });
}

/** How much each state forbids. */
export const restrictiveness: Readonly<Record<UserState, number>> = {
  active: 0,
  unknown: 1,
  step_up: 2,
  paused: 3,
  revoked: 4,
};

/** The verdict that forbids most; of equals the first. */
export function mostRestrictive(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((worst, verdict) =>
    restrictiveness[verdict.state] > restrictiveness[worst.state] ? verdict : worst,
  );
}

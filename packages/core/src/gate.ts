import type { GrantActivity } from './grant-activity.ts';
import type { Principal } from './principal.ts';
import type { Effect } from './requirement.ts';

/** What a gate says of a person. Anything but `active` denies. */
export type UserState = 'active' | 'paused' | 'revoked' | 'step_up' | 'unknown';

/** When the gate is asked. */
export type GateMoment = 'start' | 'claim' | 'response' | 'revalidate' | 'resume';

/** What a gate is told besides the principal, and what it may ask. */
export interface GateContext {
  readonly moment: GateMoment;
  /** Aborts when the answer would come too late. */
  readonly signal: AbortSignal;
  /** Asks a provider's issuer whether it still honours the principal's grant (RFC 7662). No token leaves the runtime. */
  readonly introspect: (provider: string) => Promise<GrantActivity>;
}

/**
 * Asks whether a principal may still be acted for. A throw, a time-out or an unexpected answer counts as
 * `unknown`, and `unknown` denies.
 */
export type Gate = (principal: Principal, context: GateContext) => UserState | Promise<UserState>;

/** A gate with a name, for pauses and the audit log. */
export interface GateSource {
  readonly name: string;
  readonly check: Gate;
  /**
   * Which principals it knows about; default all. Where a principal is known to none of the sources the answer is
   * `unknown`: give service principals a source of their own, {@link alwaysActive} if an operator's kill switch is
   * all that may stop them.
   */
  readonly appliesTo?: (principal: Principal) => boolean;
}

/** For apps whose principals cannot be suspended. Saying so is a decision, hence a name. */
export const alwaysActive: Gate = () => 'active';

/** For how long `unknown` is tolerated after the last positive answer, per effect. Nothing is minted meanwhile. */
export type UnknownTolerance = Readonly<Record<Effect, number>>;

/** Times that govern the gate, ms. */
export interface GateTimes {
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly revalidateMs: number;
  readonly toleranceMs: UnknownTolerance;
}

import type { SubjectAction } from '@outlive/core';
import { eventTypes } from './event-types.ts';
import type { SecurityEvent } from './security-event.ts';

/** What an event does to the grants of whom it is about; `ignore` only acknowledges it. */
export type Reaction = SubjectAction | 'ignore';

/** A reaction, or a rule that chooses one. A rule that throws leaves the event unacknowledged: it will be sent again. */
export type ReactionRule = Reaction | ((event: SecurityEvent) => Reaction);

/** Reactions by event type, a URI. */
export type Reactions = Readonly<Record<string, ReactionRule>>;

/**
 * What events do unless the app says otherwise. Who is gone or whose credentials were stolen is revoked; who may be
 * someone else at the moment is paused; what only may have changed the answer of a gate has every gate asked again.
 * An event type that is not listed is acknowledged and ignored.
 */
export const defaultReactions: Reactions = {
  [eventTypes.accountDisabled]: 'revoke',
  [eventTypes.accountPurged]: 'revoke',
  [eventTypes.credentialCompromise]: 'revoke',
  [eventTypes.identifierRecycled]: 'revoke',
  [eventTypes.sessionRevoked]: 'pause',
  [eventTypes.sessionsRevoked]: 'pause',
  [eventTypes.accountCredentialChangeRequired]: 'pause',
  [eventTypes.accountEnabled]: 'reinstate',
  [eventTypes.identifierChanged]: 'recheck',
  [eventTypes.tokenClaimsChange]: 'recheck',
  // A further credential takes nothing away; one that was changed, revoked or deleted may have been stolen before.
  [eventTypes.credentialChange]: ({ payload }) =>
    payload['change_type'] === 'create' ? 'recheck' : 'pause',
  [eventTypes.assuranceLevelChange]: ({ payload }) =>
    payload['change_direction'] === 'increase' ? 'recheck' : 'step_up',
  [eventTypes.deviceComplianceChange]: ({ payload }) =>
    payload['current_status'] === 'not-compliant' ? 'pause' : 'recheck',
  [eventTypes.riskLevelChange]: ({ payload }) =>
    payload['current_level'] === 'HIGH' ? 'pause' : 'recheck',
  // The person left a browser session. Grants for offline use outlive it (OpenID Connect Back-Channel Logout 1.0
  // section 2.7); whether the person is still there is for the gates to say.
  [eventTypes.backChannelLogout]: 'recheck',
};

const known: Readonly<Record<Reaction, true>> = {
  pause: true,
  revoke: true,
  step_up: true,
  reinstate: true,
  recheck: true,
  ignore: true,
};

/** Whether a value is a reaction, or a rule that may choose one. */
export function isReactionRule(value: unknown): value is ReactionRule {
  return typeof value === 'function' || (typeof value === 'string' && Object.hasOwn(known, value));
}

/** The reaction to `event`. @throws {TypeError} when a rule chooses something that is none. */
export function reactionTo(event: SecurityEvent, reactions: Reactions): Reaction {
  const rule = Object.hasOwn(reactions, event.type) ? reactions[event.type] : 'ignore';
  const reaction = typeof rule === 'function' ? rule(event) : rule;
  if (reaction !== undefined && Object.hasOwn(known, reaction)) return reaction;
  throw new TypeError(`reactions: expected one of ${Object.keys(known).join(', ')}`);
}

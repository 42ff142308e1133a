import type { GrantRecord, SlotSpec } from './grant-record.ts';
import type { Principal } from './principal.ts';
import { recordKey } from './record-key.ts';
import type { RecordIndex } from './store.ts';

/**
 * How a task's authority is made narrower than the grant.
 *
 * - `shared`: the grant's own token; scopes and deadline are enforced by the runtime.
 * - `narrowedRefresh`: an access token of its own with fewer scopes (RFC 6749 section 6, RFC 8707).
 * - `tokenExchange`: a token of its own that names who acts (RFC 8693), exchanged for the grant's.
 * - `identityAssertion`: a token of its own at another issuer, which takes the identity provider's word for who the
 *   user is (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant).
 */
export type DelegationStrategyName =
  | 'shared'
  | 'narrowedRefresh'
  | 'tokenExchange'
  | 'identityAssertion';

/** The authority of one task at one resource. A record of its own: it outlives the process that made it. */
export interface DelegationRecord {
  readonly id: string;
  readonly taskId: string;
  readonly principal: Principal;
  /** Keyed hash of the principal. */
  readonly subject: string;
  readonly account: string;
  readonly provider: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly strategy: DelegationStrategyName;
  readonly grantKey: string;
  readonly slot: SlotSpec;
  /** `live` → `revoking` (the task has ended) → `revoked`, or `lapsing` when only time can end it. */
  readonly status: 'live' | 'revoking' | 'revoked' | 'lapsing';
  /** Its tokens are to be revoked although its task goes on: the principal was revoked. */
  readonly withdrawing?: boolean;
  /** How often revocation was tried. */
  readonly attempts: number;
  /** Epoch ms until which a token of it may still work, once the task has ended. */
  readonly authorityEndsAt?: number;
  /** Epoch ms at which maintenance has to look at it. */
  readonly dueAt?: number;
}

/**
 * A delegation whose tokens are exchanged for: what its task was given and the tokens themselves are one record, so
 * that one swap ends both and whoever is minting meanwhile loses.
 *
 * Its `state` is that of a grant: `idle`, `refreshing` while somebody is minting, `dead` once it has ended.
 */
export interface ExchangedDelegation extends DelegationRecord, GrantRecord {
  readonly kind: 'exchanged';
  readonly scopes: readonly string[];
}

/** Whether a delegation's tokens are in its own record, and not in that of the grant. */
export function isExchanged(record: DelegationRecord): record is ExchangedDelegation {
  return isExchange(record.strategy);
}

/** Whether tokens of this strategy are exchanged for, and not refreshed. */
export function isExchange(strategy: DelegationStrategyName): boolean {
  return strategy === 'tokenExchange' || strategy === 'identityAssertion';
}

/** What a delegation needs besides, to have tokens of its own. Nothing is minted yet. */
export function exchangedDelegation(record: DelegationRecord, now: number): ExchangedDelegation {
  return {
    ...record,
    kind: 'exchanged',
    generation: 0,
    slots: {},
    grantedAt: now,
    state: { status: 'idle' },
  };
}

/** Which access token a delegation works with. */
export function delegatedSlot(
  strategy: DelegationStrategyName,
  delegation: {
    readonly id: string;
    readonly scopes: readonly string[];
    /** Resource indicator, where the provider takes one. */
    readonly indicator: string | undefined;
  },
): SlotSpec {
  const { id, scopes, indicator } = delegation;
  const shared = sharedSlot(indicator);
  if (strategy === 'shared') return shared;
  return { ...shared, key: `delegation|${id}`, scopes: scopes.toSorted() };
}

/** The grant's own token, for a resource where the provider takes indicators. */
export function sharedSlot(indicator: string | undefined): SlotSpec {
  return {
    key: `shared|${indicator ?? ''}`,
    ...(indicator === undefined ? {} : { resource: indicator }),
  };
}

/** What the store may search a delegation by. */
export function delegationIndex(record: DelegationRecord): RecordIndex {
  return {
    kind: 'delegation',
    status: record.status,
    subject: record.subject,
    taskId: record.taskId,
    ...(record.dueAt === undefined ? {} : { dueAt: Math.ceil(record.dueAt) }),
  };
}

/** Delegation ids are random: they need no tenant to be unique. */
export function delegationKey(id: string): string {
  return recordKey('delegation', undefined, id);
}

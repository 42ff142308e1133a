import type { SlotSpec } from './grant-record.ts';
import type { RecordIndex } from './store.ts';

/**
 * How a task's authority is made narrower than the grant.
 *
 * - `shared`: the grant's own token; scopes and deadline are enforced by the runtime.
 * - `narrowedRefresh`: an access token of its own with fewer scopes (RFC 6749 section 6, RFC 8707).
 */
export type DelegationStrategyName = 'shared' | 'narrowedRefresh';

/** The authority of one task at one resource. A record of its own: it outlives the process that made it. */
export interface DelegationRecord {
  readonly id: string;
  readonly taskId: string;
  readonly provider: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly strategy: DelegationStrategyName;
  readonly grantKey: string;
  readonly slot: SlotSpec;
  /** `live` → `revoking` (the task has ended) → `revoked`, or `lapsing` when only time can end it. */
  readonly status: 'live' | 'revoking' | 'revoked' | 'lapsing';
  /** How often revocation was tried. */
  readonly attempts: number;
  /** Epoch ms until which a token of it may still work, once the task has ended. */
  readonly authorityEndsAt?: number;
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
  const resource = indicator === undefined ? {} : { resource: indicator };
  if (strategy === 'shared') return { key: `shared|${indicator ?? ''}`, ...resource };
  return { key: `delegation|${id}`, scopes: scopes.toSorted(), ...resource };
}

/** What the store may search a delegation by. */
export function delegationIndex(record: DelegationRecord, dueAt?: number): RecordIndex {
  return {
    kind: 'delegation',
    status: record.status,
    taskId: record.taskId,
    ...(dueAt === undefined ? {} : { dueAt: Math.ceil(dueAt) }),
  };
}

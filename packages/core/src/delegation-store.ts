import { type DelegationRecord, delegationIndex, delegationKey } from './delegation.ts';
import { AuthError } from './errors.ts';
import type { Versioned } from './records.ts';
import type { Runtime } from './runtime.ts';

const firstRetryMs = 2000;
const longestRetryMs = 300_000;

/** A delegation as stored. @throws {AuthError} when there is none: nobody ever deletes one. */
export async function readDelegation(
  runtime: Runtime,
  id: string,
): Promise<Versioned<DelegationRecord>> {
  const found = await runtime.records.get<DelegationRecord>(delegationKey(id));
  if (found !== undefined) return found;
  throw new AuthError('store_unavailable', { detail: `no delegation ${id}` });
}

/** Writes a delegation over the version it was read at. */
export function swapDelegation(
  runtime: Runtime,
  version: number,
  record: DelegationRecord,
): Promise<boolean> {
  return runtime.records.swap(delegationKey(record.id), version, record, delegationIndex(record));
}

/** Epoch ms at which the next attempt of a revocation is due, should this one fail or its process die. */
export function nextTryAt({ clock }: Runtime, attempts: number): number {
  return clock.now() + Math.min(longestRetryMs, firstRetryMs * 2 ** (attempts - 1));
}

/** The record without what only concerns a revocation under way. */
export function withoutRetry(record: DelegationRecord): DelegationRecord {
  const { dueAt: _dueAt, withdrawing: _withdrawing, authorityEndsAt: _ends, ...rest } = record;
  return rest;
}

/** What every audit event about a delegation names. */
export function aboutDelegation(record: DelegationRecord): {
  readonly delegationId: string;
  readonly provider: string;
  readonly resource: string;
  readonly scopes: readonly string[];
} {
  const { id, provider, resource, scopes } = record;
  return { delegationId: id, provider, resource, scopes };
}

import { type DelegationRecord, delegationIndex } from './delegation.ts';
import { AuthError } from './errors.ts';
import { freshness, type GrantRecord } from './grant-record.ts';
import { recordKey } from './record-key.ts';
import type { Runtime } from './runtime.ts';
import type { TaskRecord } from './task-record.ts';
import type { Tasks } from './tasks.ts';

/** What became of one delegation when its task ended. */
export interface DelegationEnd {
  readonly delegationId: string;
  readonly resource: string;
  /** `lapsing`: nothing at the issuer can end it alone; it works until `authorityEndsAt`. `revoking`: still being tried. */
  readonly status: 'revoked' | 'revoking' | 'lapsing';
  /** Epoch ms. */
  readonly authorityEndsAt?: number;
}

const firstRetryMs = 2000;
const longestRetryMs = 300_000;

/** Writes the record of a delegation before anything is minted for it. */
export async function recordDelegation(runtime: Runtime, record: DelegationRecord): Promise<void> {
  const { records } = runtime;
  if (!(await records.swap(delegationKey(record.id), 0, record, delegationIndex(record))))
    throw new AuthError('store_unavailable', { detail: `delegation ${record.id} exists` });
}

/** Ends what a task was given: revokes what lives on its own, and says until when the rest may work. */
export async function endDelegations(
  runtime: Runtime,
  tasks: Tasks,
  task: TaskRecord,
): Promise<DelegationEnd[]> {
  return Promise.all(
    task.authorities.map((authority) =>
      endDelegation(runtime, tasks, task, authority.delegationId),
    ),
  );
}

/** Moves one delegation towards its end; safe to call again, also in another process. */
export async function endDelegation(
  runtime: Runtime,
  tasks: Tasks,
  task: TaskRecord,
  delegationId: string,
): Promise<DelegationEnd> {
  const { records, clock } = runtime;
  const key = delegationKey(delegationId);
  const found = await records.get<DelegationRecord>(key);
  if (found === undefined)
    throw new AuthError('store_unavailable', { detail: `no delegation ${delegationId}` });
  const { value: delegation } = found;
  if (delegation.status === 'revoked' || delegation.status === 'lapsing') return ended(delegation);

  const attempts = delegation.attempts + 1;
  const retryMs = Math.min(longestRetryMs, firstRetryMs * 2 ** (attempts - 1));
  const revoking: DelegationRecord = { ...delegation, status: 'revoking', attempts };
  const claimed = await records.swap(
    key,
    found.version,
    revoking,
    delegationIndex(revoking, clock.now() + retryMs),
  );
  // Somebody else is at it; it goes on from what they write.
  if (!claimed) return ended(revoking);

  const after = { ...revoking, ...(await revoke(runtime, delegation)) };
  const dueAt = after.status === 'revoking' ? clock.now() + retryMs : undefined;
  await records.swap(key, found.version + 1, after, delegationIndex(after, dueAt));
  tasks.audit(task, {
    type: after.status === 'revoking' ? 'delegation-revocation-failed' : 'delegation-revoked',
    delegationId,
    provider: delegation.provider,
    resource: delegation.resource,
    scopes: delegation.scopes,
    outcome: after.status,
  });
  return ended(after);
}

/** Only a token of its own is revoked, and only where that ends nothing else. */
async function revoke(
  runtime: Runtime,
  delegation: DelegationRecord,
): Promise<Pick<DelegationRecord, 'status' | 'authorityEndsAt'>> {
  const { records, providers, clock } = runtime;
  const grant = await records.get<GrantRecord>(delegation.grantKey);
  const slot = grant?.value.slots[delegation.slot.key];
  // A token that is on its way would outlive this: looked at again when it has come.
  if (delegation.strategy !== 'shared' && isBeingMinted(grant?.value, delegation.slot.key))
    return { status: 'revoking' };
  if (slot === undefined || slot.expiresAt <= clock.now()) return { status: 'revoked' };
  const lapsing = { status: 'lapsing', authorityEndsAt: slot.expiresAt } as const;
  const provider = providers.get(delegation.provider);
  const alone = provider?.profile.accessTokenRevocation === 'token';
  if (provider === undefined || delegation.strategy === 'shared' || !alone) return lapsing;
  const result = await provider.issuer.revoke(slot.accessToken, 'access_token');
  if (result === 'revoked') return { status: 'revoked' };
  if (freshness(slot, clock.now()) === 'unusable') return lapsing;
  return { status: 'revoking', authorityEndsAt: slot.expiresAt };
}

function isBeingMinted(grant: GrantRecord | undefined, slotKey: string): boolean {
  const state = grant?.state;
  const claimed = state?.status === 'refreshing' || state?.status === 'recovering';
  return claimed && state.attempt.slot.key === slotKey;
}

function ended(delegation: DelegationRecord): DelegationEnd {
  const { id, resource, status, authorityEndsAt } = delegation;
  return {
    delegationId: id,
    resource,
    status: status === 'live' ? 'revoking' : status,
    ...(authorityEndsAt === undefined ? {} : { authorityEndsAt }),
  };
}

/** @internal */
export function delegationKey(id: string): string {
  return recordKey('delegation', undefined, id);
}

import { type DelegationRecord, type ExchangedDelegation, isExchanged } from './delegation.ts';
import { revokeDelegated } from './delegation-revocation.ts';
import {
  aboutDelegation,
  nextTryAt,
  readDelegation,
  swapDelegation,
  withoutRetry,
} from './delegation-store.ts';
import { AuthError } from './errors.ts';
import { withStray } from './outstanding-tokens.ts';
import type { Runtime } from './runtime.ts';
import type { TaskIdentity, TaskRecord } from './task-record.ts';
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

/** Writes the record of a delegation before anything is minted for it. */
export async function recordDelegation(runtime: Runtime, record: DelegationRecord): Promise<void> {
  if (!(await swapDelegation(runtime, 0, record)))
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
  task: TaskIdentity,
  delegationId: string,
): Promise<DelegationEnd> {
  for (;;) {
    const { version, value: delegation } = await readDelegation(runtime, delegationId);
    if (delegation.status === 'revoked' || delegation.status === 'lapsing')
      return ended(delegation);
    const attempts = delegation.status === 'revoking' ? delegation.attempts + 1 : 1;
    const dueAt = nextTryAt(runtime, attempts);
    const revoking = closed(runtime, { ...delegation, status: 'revoking', attempts, dueAt });
    if (!(await swapDelegation(runtime, version, revoking))) {
      // Whoever is minting has moved it on: the next swap ends what they wrote. Else somebody is ending it, too.
      if (delegation.status === 'live') continue;
      return ended(revoking);
    }

    const result = await revokeDelegated(runtime, revoking);
    const after: DelegationRecord = {
      ...withoutRetry(revoking),
      ...(result.status === 'revoking' ? { dueAt } : {}),
      ...result,
    };
    await swapDelegation(runtime, version + 1, after);
    tasks.audit(task, {
      type: result.status === 'revoking' ? 'delegation-revocation-failed' : 'delegation-revoked',
      ...aboutDelegation(delegation),
      outcome: result.status,
    });
    return ended(after);
  }
}

/** Nothing is minted for it any more. Who is asking the issuer just now may get a token, and cannot store it. */
function closed(runtime: Runtime, record: DelegationRecord): DelegationRecord {
  if (!isExchanged(record)) return record;
  const { clock, providers } = runtime;
  const now = clock.now();
  const { state } = record;
  const underWay = state.status === 'refreshing' || state.status === 'recovering';
  const longestMs = providers.get(record.provider)?.profile.longestAccessTokenMs ?? 0;
  const next: ExchangedDelegation = {
    ...(underWay ? withStray(record, state.attempt, now + longestMs) : record),
    state: { status: 'dead', death: 'revoked', error: 'the task has ended', at: now },
  };
  return next;
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

import { type DelegationRecord, type ExchangedDelegation, isExchanged } from './delegation.ts';
import { revokeDelegated } from './delegation-revocation.ts';
import {
  aboutDelegation,
  nextTryAt,
  readDelegation,
  swapDelegation,
  withoutRetry,
} from './delegation-store.ts';
import type { Runtime } from './runtime.ts';
import type { Tasks } from './tasks.ts';

/** Revokes what the tasks of a revoked principal work with, whichever process made it. */
export async function withdrawDelegations(
  runtime: Runtime,
  tasks: Tasks,
  subject: string,
): Promise<void> {
  const { records } = runtime;
  const keys: string[] = [];
  for await (const { key } of records.list({ kind: 'delegation', status: 'live', subject }))
    keys.push(key);
  for (const key of keys) {
    const found = await records.get<DelegationRecord>(key);
    if (found !== undefined) await withdrawDelegation(runtime, tasks, found.value.id);
  }
}

/**
 * Revokes the tokens of a delegation whose principal was revoked. It goes on, without tokens: the gate decides whether
 * there will be others. What cannot be revoked now is due again, unless the principal is reinstated by then.
 */
export async function withdrawDelegation(
  runtime: Runtime,
  tasks: Tasks,
  delegationId: string,
): Promise<void> {
  for (;;) {
    const { version, value: delegation } = await readDelegation(runtime, delegationId);
    if (delegation.status !== 'live' || delegation.strategy === 'shared') return;
    if (isBeingWithdrawn(delegation, runtime.clock.now()) || hasNothing(delegation)) return;
    const { principal, subject } = delegation;
    const verdict = await runtime.userStates.check(principal, subject, 'revalidate');
    if (verdict.state === 'active') {
      // Reinstated meanwhile: what the task works with by now is not to be taken away.
      if (delegation.withdrawing !== true) return;
      if (await swapDelegation(runtime, version, withoutRetry(delegation))) return;
      continue;
    }
    const attempts = delegation.withdrawing === true ? delegation.attempts + 1 : 1;
    const dueAt = nextTryAt(runtime, attempts);
    const withdrawing = { ...delegation, withdrawing: true, attempts, dueAt };
    if (!(await swapDelegation(runtime, version, withdrawing))) continue;

    const { status } = await revokeDelegated(runtime, withdrawing);
    const after = withoutRetry(withdrawing);
    // What could not be revoked is still the end's to tell of.
    const next = status === 'revoked' && isExchanged(after) ? withoutTokens(after) : after;
    // Lost to whoever mints, ends or withdraws it meanwhile: then it is due once more, and nothing is lost by that.
    if (status !== 'revoking') await swapDelegation(runtime, version + 1, next);
    const task = await tasks.load(delegation.taskId);
    if (task !== undefined)
      tasks.audit(task, {
        type: 'delegation-withdrawn',
        ...aboutDelegation(delegation),
        outcome: status,
      });
    return;
  }
}

/** Another process is at it, or has just tried: then it is due by itself. */
function isBeingWithdrawn({ withdrawing, dueAt = 0 }: DelegationRecord, now: number): boolean {
  return withdrawing === true && dueAt > now;
}

/** No token was minted for it, or somebody has withdrawn what was: every process learns of a revocation. */
function hasNothing(delegation: DelegationRecord): boolean {
  if (!isExchanged(delegation) || delegation.withdrawing === true) return false;
  const { slots, superseded = [], strays = [], state } = delegation;
  if (state.status !== 'idle') return false;
  return Object.keys(slots).length + superseded.length + strays.length === 0;
}

function withoutTokens(delegation: ExchangedDelegation): ExchangedDelegation {
  const { superseded: _revoked, ...rest } = delegation;
  return { ...rest, slots: {} };
}

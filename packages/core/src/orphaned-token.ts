import { type DelegationRecord, isExchanged } from './delegation.ts';
import { readDelegation, swapDelegation } from './delegation-store.ts';
import { endDelegation } from './delegations.ts';
import type { TokenSet } from './issuer.ts';
import { supersededToken, withoutStray } from './outstanding-tokens.ts';
import type { Runtime } from './runtime.ts';
import type { Tasks } from './tasks.ts';

/** A token that came when nobody waited for it any more. */
export interface OrphanedToken {
  readonly delegationId: string;
  /** The attempt that asked for it. */
  readonly attempt: string;
  readonly tokens: TokenSet;
  /** Epoch ms, from the instant before the request was sent. */
  readonly issuedAt: number;
}

/** Takes in a token that came when its delegation had moved on: it is revoked with the others, at once if they are. */
export async function takeInOrphan(
  runtime: Runtime,
  tasks: Tasks,
  { delegationId, attempt, tokens, issuedAt }: OrphanedToken,
): Promise<void> {
  const { clock, providers } = runtime;
  for (;;) {
    const { version, value: delegation } = await readDelegation(runtime, delegationId);
    if (!isExchanged(delegation)) return;
    const longestMs = providers.get(delegation.provider)?.profile.longestAccessTokenMs ?? 0;
    const { superseded = [], slot } = delegation;
    const expiresAt = issuedAt + (tokens.expiresInMs ?? longestMs);
    const token = supersededToken(slot.key, { accessToken: tokens.accessToken, expiresAt });
    const taken = { ...withoutStray(delegation, attempt), superseded: [...superseded, token] };
    const isLive = delegation.status === 'live';
    const next: DelegationRecord = isLive
      ? taken
      : { ...taken, status: 'revoking', dueAt: clock.now() };
    if (!(await swapDelegation(runtime, version, next))) continue;
    if (isLive) return;
    const task = await tasks.load(delegation.taskId);
    if (task !== undefined) await endDelegation(runtime, tasks, task, delegationId);
    return;
  }
}

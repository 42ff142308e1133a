import { type DelegationRecord, isExchange, isExchanged } from './delegation.ts';
import type { GrantRecord } from './grant-record.ts';
import type { IssuerProfile } from './issuer-profile.ts';
import type { Runtime } from './runtime.ts';
import type { Secret } from './secret.ts';

/** What is left of a delegation's authority after a revocation. */
export interface RevocationResult {
  /** `revoking`: to be tried again. `lapsing`: only time ends the rest. */
  readonly status: 'revoked' | 'revoking' | 'lapsing';
  /** Epoch ms until which the rest may work. */
  readonly authorityEndsAt?: number;
}

/** A token that may work, as far as anybody knows. */
interface LiveToken {
  readonly accessToken: Secret;
  readonly expiresAt: number;
}

/**
 * Revokes what a delegation's tokens can do (RFC 7009): tokens of its own only, and only where that ends nothing else.
 * Does not write anything, and may be called again.
 */
export async function revokeDelegated(
  runtime: Runtime,
  delegation: DelegationRecord,
): Promise<RevocationResult> {
  const { records, providers, clock } = runtime;
  const holder = isExchanged(delegation)
    ? delegation
    : (await records.get<GrantRecord>(delegation.grantKey))?.value;
  if (holder === undefined) return { status: 'revoked' };
  const { key } = delegation.slot;
  const now = clock.now();
  const tokens = liveTokens(holder, key, now);
  const strays = (holder.strays ?? []).filter(({ slot, until }) => slot === key && until > now);
  const until = strays.map((stray) => stray.until);

  const provider = providers.get(delegation.provider);
  if (provider === undefined || !endsNothingElse(delegation, provider.profile))
    return remaining('lapsing', [...until, ...tokens.map(({ expiresAt }) => expiresAt)]);

  let failed = false;
  for (const { accessToken, expiresAt } of tokens) {
    const result = await provider.issuer.revoke(accessToken, 'access_token');
    if (result === 'revoked') continue;
    until.push(expiresAt);
    if (result === 'failed') failed = true;
  }
  // A token that is on its way would outlive this: looked at again when it has come.
  const comes = mintedUntil(holder, key, provider.profile);
  if (comes > now) {
    until.push(comes);
    failed = true;
  }
  return remaining(failed ? 'revoking' : 'lapsing', until);
}

function remaining(status: 'revoking' | 'lapsing', until: readonly number[]): RevocationResult {
  if (until.length === 0) return { status: 'revoked' };
  return { status, authorityEndsAt: Math.max(...until) };
}

/** Whether revoking a token of this delegation ends that token and nothing that others work with. */
function endsNothingElse({ strategy }: DelegationRecord, profile: IssuerProfile): boolean {
  if (strategy === 'shared') return false;
  if (isExchange(strategy) && profile.exchangedTokenGrant === 'own') return true;
  return profile.accessTokenRevocation === 'token';
}

function liveTokens(holder: GrantRecord, key: string, now: number): LiveToken[] {
  const current = holder.slots[key];
  const earlier = (holder.superseded ?? []).filter(({ slot }) => slot === key);
  return [...(current === undefined ? [] : [current]), ...earlier].filter(
    ({ expiresAt }) => expiresAt > now,
  );
}

/** Epoch ms until which a token may work that somebody is asking for; 0 when nobody is. */
function mintedUntil(holder: GrantRecord, key: string, profile: IssuerProfile): number {
  const { state } = holder;
  if (state.status !== 'refreshing' && state.status !== 'recovering') return 0;
  const { attempt } = state;
  return attempt.slot.key === key ? attempt.startedAt + profile.longestAccessTokenMs : 0;
}

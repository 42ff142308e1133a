import { sleep } from './clock.ts';
import type { GrantRecord } from './grant-record.ts';
import type { Principal } from './principal.ts';
import type { Runtime } from './runtime.ts';

/**
 * Whether an issuer still honours a grant: `none` where there is no refresh token to ask about, `unknown` where the
 * issuer cannot be asked or does not answer.
 */
export type GrantActivity = 'active' | 'inactive' | 'unknown' | 'none';

const lookAgainMs = 100;

/**
 * Introspects the refresh token of a principal's default account (RFC 7662), which has no side effect at the issuer.
 *
 * A rotation under way makes the old token inactive without meaning anything: only a token that was current before
 * and after the question counts. The gate's time-out bounds the wait for one that is.
 */
export async function grantActivity(
  runtime: Pick<Runtime, 'records' | 'grants' | 'providers' | 'clock'>,
  principal: Principal,
  providerName: string,
): Promise<GrantActivity> {
  const { records, grants, providers, clock } = runtime;
  const provider = providers.get(providerName);
  if (provider === undefined) return 'unknown';
  const key = await grants.key({ provider: providerName, principal });
  for (let round = 0; round < 20; round += 1) {
    if (round > 0) await sleep(clock, lookAgainMs);
    const before = await records.get<GrantRecord>(key);
    const token = before?.value.refreshToken;
    if (before === undefined || token === undefined) return 'none';
    if (before.value.state.status === 'dead') return 'inactive';
    const answer = await provider.issuer.probe(token);
    if (answer !== 'inactive') return answer;
    const after = await records.get<GrantRecord>(key);
    if (before.value.state.status === 'idle' && after?.version === before.version)
      return 'inactive';
  }
  return 'unknown';
}

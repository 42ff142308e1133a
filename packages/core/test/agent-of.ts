import { inspect } from 'node:util';
import type { TestIssuer, TokenFault } from '@outlive/testing';
import { systemClock } from '../src/clock.ts';
import type { Issuer, RefreshRequest, TokenOutcome } from '../src/issuer.ts';
import { createOpenidIssuer, type OpenidIssuerOptions } from '../src/openid-issuer.ts';
import { Secret } from '../src/secret.ts';

type Options = Partial<OpenidIssuerOptions>;

export function agentOf(issuer: { readonly url: string }, options: Options = {}): Issuer {
  return createOpenidIssuer({
    issuer: issuer.url,
    clientId: 'agent',
    clientSecret: new Secret('agent-secret'),
    clock: systemClock,
    ...options,
  });
}

export function refreshOf(
  refreshToken: string,
  request: Partial<RefreshRequest> = {},
): RefreshRequest {
  return {
    refreshToken: new Secret(refreshToken),
    beforeSend: () => undefined,
    onResponse: async () => undefined,
    ...request,
  };
}

/** One refresh of a new grant under a fault, and what the issuer saw of it. */
export async function refreshUnder(
  issuer: TestIssuer,
  fault: TokenFault | undefined,
  options: Options & { readonly scopes?: readonly string[]; readonly resource?: string } = {},
): Promise<{ outcome: TokenOutcome; presented: readonly number[]; generations: number }> {
  const { scopes, resource, ...rest } = options;
  const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'ada' });
  using _ = issuer.fault(() => fault);
  const outcome = await agentOf(issuer, rest).refresh(
    refreshOf(tokenResponse.refresh_token, {
      ...(scopes === undefined ? {} : { scopes }),
      ...(resource === undefined ? {} : { resource }),
    }),
  );
  return {
    outcome,
    presented: issuer.presentations(grantId).map(({ times }) => times),
    generations: issuer.grant(grantId).generations,
  };
}

export function revealed(outcome: TokenOutcome): {
  accessToken: string;
  refreshToken: string | undefined;
} {
  if (outcome.outcome !== 'granted') throw new Error(`not granted: ${inspect(outcome)}`);
  const { accessToken, refreshToken } = outcome.tokens;
  return { accessToken: accessToken.reveal(), refreshToken: refreshToken?.reveal() };
}

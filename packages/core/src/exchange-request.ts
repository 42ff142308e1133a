import type { AssertionRequest, ExchangeRequest, TokenOutcome } from './issuer.ts';
import { accessTokenType } from './token-types.ts';

/** What a token request says, and how its response is taken. */
export interface TokenForm {
  readonly grantType: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether a good pair is kept when its response fails validation. */
  readonly salvage: boolean;
}

/** The form of a token exchange (RFC 8693 section 2.1). */
export function exchangeForm(request: ExchangeRequest): TokenForm {
  const { subject, actor, requestedType = accessTokenType, scopes, target, parameters } = request;
  return {
    grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
    parameters: {
      ...parameters,
      subject_token: subject.token.reveal(),
      subject_token_type: subject.type,
      ...(actor === undefined
        ? {}
        : { actor_token: actor.token.reveal(), actor_token_type: actor.type }),
      requested_token_type: requestedType,
      scope: scopes.join(' '),
      ...target,
    },
    // A response that fails validation is asked for again: nothing was used up.
    salvage: false,
  };
}

/** The form of an assertion that is a grant (RFC 7523 section 2.1). */
export function assertionForm({ assertion, scopes }: AssertionRequest): TokenForm {
  return {
    grantType: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    parameters: { assertion: assertion.reveal(), scope: scopes.join(' ') },
    salvage: false,
  };
}

/** What leaves a doubt about a refresh token leaves none about an exchange: the issuer has answered no. */
export function withoutDoubt(outcome: TokenOutcome): TokenOutcome {
  const { outcome: what } = outcome;
  if (what !== 'rejected' && (what !== 'unknown' || outcome.kind !== 'bad_request')) return outcome;
  const kind = outcome.kind === 'step_up_required' ? 'step_up_required' : 'issuer_refused';
  return { outcome: 'refused', kind, error: outcome.error, cause: outcome.cause };
}

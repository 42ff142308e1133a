import type { RefusalOptions } from './call-authority.ts';
import type { AuthErrorCode } from './errors.ts';
import type { Secret } from './secret.ts';
import { type Challenge, parseChallenges } from './www-authenticate.ts';

/** A resource's refusal for authorization reasons. */
export interface ResourceRefusal {
  readonly code: AuthErrorCode;
  readonly options: RefusalOptions;
  /** Whether another token may help: then it is the token that was refused, and not what it stands for. */
  readonly renewable: boolean;
}

/**
 * What a response says about the authority of its request; `undefined` when it says nothing about it.
 *
 * A 403 without a challenge is about policy or ownership, and 400, 429 and 503 are not about authority either:
 * those are the tool's to handle. A 401 always is about the token, with a challenge or without.
 */
export function readRefusal(response: Response, sent: Secret): ResourceRefusal | undefined {
  if (response.status !== 401 && response.status !== 403) return undefined;
  const parameters = errorParameters(response.headers.get('www-authenticate'));
  const { error, scope } = parameters;
  switch (error) {
    case 'insufficient_user_authentication':
      return {
        code: 'step_up_required',
        options: stepUpOptions(parameters, sent),
        renewable: false,
      };
    case 'insufficient_scope': {
      const requiredScopes = list(scope, sent);
      const options = requiredScopes === undefined ? {} : { requiredScopes };
      return { code: 'insufficient_scope', options, renewable: false };
    }
    default:
      if (response.status === 403) return undefined;
      return { code: 'rejected_after_refresh', options: {}, renewable: true };
  }
}

/** Parameters of the first challenge that has an error (RFC 6750 section 3, RFC 9449 section 7.1). */
function errorParameters(header: string | null): Challenge['parameters'] {
  if (header === null) return {};
  const challenge = parseChallenges(header).find(
    ({ scheme, parameters: { error } }) =>
      (scheme === 'bearer' || scheme === 'dpop') && error !== undefined,
  );
  return challenge?.parameters ?? {};
}

/** RFC 9470 section 3. */
function stepUpOptions(parameters: Challenge['parameters'], sent: Secret): RefusalOptions {
  const { acr_values: accepted, max_age: maxAge } = parameters;
  const acrValues = list(accepted, sent);
  return {
    ...(acrValues === undefined ? {} : { acrValues }),
    ...(maxAge !== undefined && /^\d{1,10}$/.test(maxAge) ? { maxAgeSeconds: Number(maxAge) } : {}),
  };
}

/**
 * A space-delimited list of scope tokens (RFC 6749 section 3.3). What cannot be one is left out, and so is what
 * echoes the token that was sent: lists end up in records and errors.
 */
function list(value: string | undefined, sent: Secret): readonly string[] | undefined {
  return value
    ?.split(' ')
    .filter((item) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(item) && !item.includes(sent.reveal()));
}

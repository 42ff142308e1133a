import { systemClock } from '@outlive/core';
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { ReceiverOptions } from './receiver-options.ts';
import { SetError, type SetErrorCode } from './set-error.ts';
import { isKeysUnavailable } from './signing-keys.ts';

/** A token whose signature, issuer, audience and age are good. */
export interface VerifiedToken {
  readonly claims: JWTPayload;
  readonly id: string;
  /** Epoch ms. */
  readonly issuedAt: number;
  /** Its one event. */
  readonly type: string;
  readonly payload: unknown;
  /** Epoch ms after which a date in it lies in the future. */
  readonly latest: number;
}

const week = 7 * 24 * 3_600_000;
const defaultAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];

/**
 * Verifies what security event tokens (RFC 8417) and logout tokens have in common.
 *
 * @throws {SetError} when the token is refused for good.
 * @throws what fetching the keys throws: the token may be good, and must be sent again.
 */
export async function verifyToken(
  token: string,
  keys: JWTVerifyGetKey,
  options: ReceiverOptions,
  types: readonly string[],
): Promise<VerifiedToken> {
  const { issuer, audience, algorithms = defaultAlgorithms, clock = systemClock } = options;
  const toleranceMs = options.clockToleranceMs ?? 60_000;
  const now = clock.now();
  let claims: JWTPayload;
  try {
    const verified = await jwtVerify(token, keys, {
      issuer,
      audience: typeof audience === 'string' ? audience : [...audience],
      algorithms: [...algorithms],
      requiredClaims: ['iss', 'aud', 'iat', 'jti', 'events'],
      clockTolerance: toleranceMs / 1000,
      currentDate: new Date(now),
    });
    claims = verified.payload;
    const type = String(verified.protectedHeader.typ ?? '').toLowerCase();
    if (!types.includes(type.replace(/^application\//, '')))
      throw new SetError('invalid_request', 'the token is of another type');
  } catch (error) {
    if (error instanceof SetError || isKeysUnavailable(error)) throw error;
    throw refusalOf(error);
  }
  const { jti: id, iat, events } = claims;
  const wrong = (problem: string): SetError => new SetError('invalid_request', problem);
  if (typeof id !== 'string' || id === '') throw wrong('jti is not a text');
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw wrong('iat is not a date');
  const issuedAt = iat * 1000;
  const latest = now + toleranceMs;
  if (issuedAt > latest) throw wrong('the token was issued in the future');
  if (issuedAt < now - (options.maxAgeMs ?? week)) throw wrong('the token is too old');
  if (typeof events !== 'object' || events === null || Array.isArray(events))
    throw wrong('events is not an object');
  const [only, ...others] = Object.entries(events);
  if (only === undefined || others.length > 0) throw wrong('the token must have exactly one event');
  const [type, payload] = only;
  return { claims, id, issuedAt, type, payload, latest };
}

const claimErrors: Readonly<Record<string, SetErrorCode>> = {
  iss: 'invalid_issuer',
  aud: 'invalid_audience',
};

/** What jose found, in the words of RFC 8935. */
function refusalOf(cause: unknown): SetError {
  if (cause instanceof errors.JWTClaimValidationFailed) {
    const code = claimErrors[cause.claim] ?? 'invalid_request';
    return new SetError(code, `the claim ${cause.claim} is missing or wrong`, { cause });
  }
  if (cause instanceof errors.JWTExpired)
    return new SetError('invalid_request', 'the token has expired', { cause });
  if (
    cause instanceof errors.JWSSignatureVerificationFailed ||
    cause instanceof errors.JWKSNoMatchingKey ||
    cause instanceof errors.JWKSMultipleMatchingKeys ||
    cause instanceof errors.JOSEAlgNotAllowed
  )
    return new SetError('invalid_key', 'the signature was not made with an accepted key', {
      cause,
    });
  return new SetError('invalid_request', 'this is not a token that can be read', { cause });
}

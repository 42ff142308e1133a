/** A step up that a resource asks for (RFC 9470). */
export interface StepUp {
  /** Authentication context class references, any of which would do. */
  readonly acrValues?: readonly string[];
  /** Seconds since the user last authenticated. */
  readonly maxAge?: number;
}

/** 401 for a request without credentials: RFC 6750 section 3.1 wants no `error` then. */
export function unauthenticated(): Response {
  return challenge(401, {});
}

/** 401 for a token that is expired, revoked, malformed or meant for another resource. */
export function invalidToken(): Response {
  return challenge(401, {
    error: 'invalid_token',
    error_description: 'The access token is expired, revoked or not for this resource',
  });
}

/** 403 that names the scopes the request needs (RFC 6750 section 3.1). */
export function insufficientScope(scopes: readonly string[]): Response {
  return challenge(403, { error: 'insufficient_scope', scope: scopes.join(' ') });
}

/** 401 that asks for a stronger or fresher authentication of the user (RFC 9470 section 3). */
export function insufficientUserAuthentication({ acrValues, maxAge }: StepUp): Response {
  return challenge(401, {
    error: 'insufficient_user_authentication',
    error_description: 'A different authentication level is required',
    ...(acrValues && { acr_values: acrValues.join(' ') }),
    ...(maxAge !== undefined && { max_age: String(maxAge) }),
  });
}

/** 401 for a DPoP proof that does not fit the request (RFC 9449 section 7.1). */
export function invalidProof(problem: string): Response {
  return challenge(401, { error: 'invalid_dpop_proof', error_description: problem }, 'DPoP');
}

/** 401 for a DPoP proof without a nonce of this resource, with the one to use (RFC 9449 section 9). */
export function nonceWanted(nonce: string): Response {
  const response = challenge(401, { error: 'use_dpop_nonce' }, 'DPoP');
  response.headers.set('dpop-nonce', nonce);
  return response;
}

function challenge(
  status: number,
  parameters: Readonly<Record<string, string>>,
  scheme: 'Bearer' | 'DPoP' = 'Bearer',
): Response {
  const list = Object.entries({ realm: 'api', ...parameters })
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ');
  return Response.json(parameters, {
    status,
    headers: { 'www-authenticate': `${scheme} ${list}` },
  });
}

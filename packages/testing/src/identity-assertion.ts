import { randomUUID } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  importJWK,
  type JWK,
  type JWTPayload,
  errors as joseErrors,
  jwtVerify,
  SignJWT,
} from 'jose';
import { errors, type Provider } from 'oidc-provider';
import { type IssuerParts, jwtBearerGrant, resourceServer } from './issuer-provider.ts';
import { proofReader } from './token-request-proof.ts';

/** The type of an identity assertion (draft-ietf-oauth-identity-assertion-authz-grant section 3). */
export const assertionType = 'urn:ietf:params:oauth:token-type:id-jag';

const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';
const assertionHeaderType = 'oauth-id-jag+jwt';

interface AssertionRequest {
  readonly clientId: string;
  readonly subject_token?: string;
  readonly subject_token_type?: string;
  /** The authorization server that the assertion is for. */
  readonly audience?: string;
  readonly resource?: string;
  readonly scope?: string;
}

/**
 * What the identity provider does: for an ID token of the client, a signed statement that another authorization
 * server takes for a grant (section 4.3).
 */
export async function assertIdentity(
  { url, users, signingKey }: IssuerParts,
  request: AssertionRequest,
): Promise<{ readonly assertion: string; readonly expiresIn: number }> {
  const { clientId, audience, resource, scope } = request;
  if (request.subject_token_type !== idTokenType)
    throw new errors.InvalidRequest(`expected a subject_token of type ${idTokenType}`);
  if (audience === undefined) throw new errors.InvalidTarget();
  const { kty, crv, x, y, kid, alg } = signingKey;
  const keys = createLocalJWKSet({ keys: [{ kty, crv, x, y, kid, alg } as JWK] });
  const idToken = await verified(
    jwtVerify(request.subject_token ?? '', keys, { issuer: url, audience: clientId }),
    (problem) => new errors.InvalidRequest(problem),
  );
  const subject = String(idToken.sub);
  if (!users.isActive(subject)) throw new errors.InvalidRequest('the subject is not active');
  const expiresIn = 300;
  const assertion = await new SignJWT({
    client_id: clientId,
    ...(scope === undefined ? {} : { scope }),
    ...(resource === undefined ? {} : { resource }),
  })
    .setProtectedHeader({ alg: 'ES256', typ: assertionHeaderType, kid: String(kid) })
    .setIssuer(url)
    .setAudience(audience)
    .setSubject(subject)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${expiresIn}s`)
    .sign(await importJWK(signingKey, 'ES256'));
  return { assertion, expiresIn };
}

interface AssertionClaims extends JWTPayload {
  readonly client_id?: string;
  readonly resource?: string;
  readonly scope?: string;
}

interface BearerParameters {
  readonly assertion?: string;
  readonly scope?: string;
}

/** What the resource's authorization server does: takes an assertion of an identity provider it trusts (section 4.4). */
export function registerIdentityAssertion(provider: Provider, parts: IssuerParts): void {
  const { url, behaviour, users, ledger, actors } = parts;
  const seen = new Set<string>();
  const thumbprintOf = proofReader(parts);

  provider.registerGrantType(
    jwtBearerGrant,
    async (context) => {
      ledger.counters.assertions += 1;
      const { client } = context.oidc;
      const { assertion = '', scope } = context.oidc.params as BearerParameters;
      const thumbprint = await thumbprintOf(context);
      const claims = await claimsOf(assertion);
      const { client_id: clientId, resource, scope: granted } = claims as AssertionClaims;
      if (clientId !== client.clientId)
        throw new errors.InvalidGrant('the assertion is for another client');
      if (seen.has(String(claims.jti))) throw new errors.InvalidGrant('the assertion was used');
      seen.add(String(claims.jti));
      const indicator = String(resource ?? Object.keys(behaviour.resources)[0]);
      const server = resourceServer(behaviour, indicator);
      const allowed = String(granted ?? server.scope).split(' ');
      const scopes = scope === undefined ? allowed : scope.split(' ');
      const beyond = scopes.filter((one) => !allowed.includes(one) || !server.scope.includes(one));
      if (beyond.length > 0)
        throw new errors.InvalidScope('not in the assertion', beyond.join(' '));

      const accountId = String(claims.sub);
      users.user(accountId);
      const grant = new provider.Grant({ accountId, clientId: client.clientId });
      grant.addResourceScope(indicator, scopes.join(' '));
      const token = new provider.AccessToken({
        accountId,
        client,
        grantId: await grant.save(),
        gty: jwtBearerGrant,
        scope: scopes.join(' '),
        resourceServer: new provider.ResourceServer(indicator, server),
      });
      if (thumbprint !== undefined) token.setThumbprint('jkt', thumbprint);
      actors.set(token, { sub: client.clientId });
      context.oidc.entity('AccessToken', token);
      context.body = {
        access_token: await token.save(),
        token_type: token.tokenType,
        expires_in: token.expiration,
        scope: token.scope,
      };
    },
    ['assertion', 'scope'],
  );

  async function claimsOf(assertion: string): Promise<JWTPayload> {
    const trusted = behaviour.identityProviders.find((one) => one === issuerOf(assertion));
    if (trusted === undefined) throw new errors.InvalidGrant('the assertion is of nobody trusted');
    const keys = createRemoteJWKSet(new URL(`${trusted}/jwks`));
    return verified(
      jwtVerify(assertion, keys, {
        issuer: trusted,
        audience: url,
        typ: assertionHeaderType,
        requiredClaims: ['sub', 'jti', 'client_id', 'exp', 'iat'],
      }),
      (problem) => new errors.InvalidGrant(problem),
    );
  }
}

function issuerOf(assertion: string): string | undefined {
  try {
    return decodeJwt(assertion).iss;
  } catch {
    // What is no JWT names no issuer, and the caller refuses it.
    return undefined;
  }
}

async function verified(
  verifying: Promise<{ readonly payload: JWTPayload }>,
  refusal: (problem: string) => Error,
): Promise<JWTPayload> {
  try {
    return (await verifying).payload;
  } catch (error) {
    if (error instanceof joseErrors.JOSEError) throw refusal(error.code);
    throw error;
  }
}

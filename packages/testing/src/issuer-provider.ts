import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { type ClientMetadata, errors, Provider, type ResourceServer } from 'oidc-provider';
import type { Actor } from './access-token-facts.ts';
import type { BackchannelRequests } from './backchannel-authentication.ts';
import { createIssuerAdapter, reuseDetail } from './issuer-adapter.ts';
import { interactionPath } from './issuer-interactions.ts';
import type { IssuerLedger } from './issuer-ledger.ts';
import {
  defaultClients,
  type TestClient,
  type TestIssuerBehaviour,
  type TestIssuerOptions,
  wholeSeconds,
} from './issuer-options.ts';
import type { TestUsers } from './issuer-users.ts';

/** What an issuer's parts share. */
export interface IssuerParts {
  readonly url: string;
  readonly behaviour: TestIssuerBehaviour;
  /** Scopes that belong to no resource. */
  readonly scopes: readonly string[];
  readonly ledger: IssuerLedger;
  readonly users: TestUsers;
  readonly signingKey: JWK;
  readonly backchannel: BackchannelRequests;
  /** Who acts by an exchanged token that is being made. */
  readonly actors: WeakMap<object, Actor>;
}

/** The grant type of a token exchange (RFC 8693 section 2.1). */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** The grant type of an assertion (RFC 7523 section 2.1). */
export const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const daySeconds = 24 * 60 * 60;

/** Makes the key that signs ID tokens and JWT access tokens. */
export async function createSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: 'test-issuer', alg: 'ES256', use: 'sig' };
}

/** A resource as oidc-provider wants to know it. @throws `invalid_target` (RFC 8707) when there is no such resource. */
export function resourceServer(behaviour: TestIssuerBehaviour, indicator: string): ResourceServer {
  const resource = behaviour.resources[indicator];
  if (!resource) throw new errors.InvalidTarget();
  return {
    scope: resource.scopes.join(' '),
    audience: indicator,
    accessTokenFormat: behaviour.accessTokenFormat,
    ...(behaviour.accessTokenFormat === 'jwt' && { jwt: { sign: { alg: 'ES256' } } }),
  };
}

/** oidc-provider, configured so that it says nothing to the console and follows the live behaviour. */
export function createProvider(parts: IssuerParts, options: TestIssuerOptions): Provider {
  const { url, behaviour, ledger, users, signingKey, backchannel } = parts;
  const accessTokenSeconds = (): number => wholeSeconds(behaviour.accessTokenLifetimeMs);

  const provider = new Provider(url, {
    adapter: createIssuerAdapter(behaviour, ledger),
    jwks: { keys: [signingKey as { kty: string }] },
    clients: (options.clients ?? defaultClients).map(clientMetadata),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    clientBasedCORS: () => true,
    cookies: { keys: [randomBytes(16).toString('hex')] },
    scopes: [...parts.scopes],
    claims: { openid: ['sub'] },
    responseTypes: ['code'],
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    pkce: { required: () => true },
    interactions: { url: (_context, interaction) => `${interactionPath}${interaction.uid}` },
    findAccount: (_context, subject) =>
      users.isActive(subject)
        ? { accountId: subject, claims: () => ({ sub: subject }) }
        : undefined,
    rotateRefreshToken: () => behaviour.rotate,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
    revokeGrantPolicy: () => true,
    expiresWithSession: () => false,
    ttl: {
      AccessToken: accessTokenSeconds,
      ClientCredentials: accessTokenSeconds,
      RefreshToken: () => wholeSeconds(behaviour.refreshTokenLifetimeMs),
      AuthorizationCode: 60,
      IdToken: 60 * 60,
      Interaction: 60 * 60,
      DeviceCode: 10 * 60,
      BackchannelAuthenticationRequest: 10 * 60,
      Session: 14 * daySeconds,
      Grant: 365 * daySeconds,
    },
    formats: {
      customizers: {
        // `iat` is the start of the current second: without this a token could die before its `expires_in`.
        jwt: (_context, _token, { payload }) => {
          const { exp } = payload;
          Object.assign(payload, { exp: Number(exp) + 1 });
        },
      },
    },
    extraTokenClaims: (_context, token) => {
      const actor = parts.actors.get(token);
      return actor && { act: actor };
    },
    renderError: (context, body) => {
      context.type = 'application/json';
      context.body = JSON.stringify(body);
    },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: true },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (context, form) => page(context, form),
        userCodeConfirmSource: (context, form) => page(context, form),
        successSource: (context) => page(context, 'Done.'),
      },
      ciba: {
        enabled: true,
        deliveryModes: ['poll'],
        processLoginHint: (_context, hint) => hint,
        verifyUserCode: () => undefined,
        validateRequestContext: () => undefined,
        validateBindingMessage: () => undefined,
        triggerAuthenticationDevice: (context, request) => {
          const { binding_message: bindingMessage, scope } = context.oidc.params ?? {};
          backchannel.asked(request.jti, {
            subject: request.accountId ?? '',
            bindingMessage: typeof bindingMessage === 'string' ? bindingMessage : undefined,
            scopes: String(scope ?? '').split(' '),
          });
        },
      },
      clientCredentials: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: randomBytes(32),
        requireNonce: () => behaviour.proofNonces,
      },
      introspection: {
        enabled: true,
        allowedPolicy: (_context, client, token) =>
          (client.clientAuthMethod !== 'none' || token.clientId === client.clientId) &&
          (token.kind !== 'AccessToken' || users.isActive(token.accountId)),
      },
      revocation: {
        enabled: true,
        allowedPolicy: async (_context, client, token) => {
          if (token.clientId !== client.clientId) return false;
          if (token.kind !== 'AccessToken' || behaviour.accessTokenRevocation === 'grant') {
            return true;
          }
          // Answering true would end every token of the grant; this ends the one and answers the same 200.
          await token.destroy();
          return false;
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context, _client, oneOf) =>
          oneOf?.[0] ?? Object.keys(behaviour.resources)[0] ?? [],
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, indicator) => resourceServer(behaviour, indicator),
      },
    },
  });

  provider.on('grant.success', (context) => {
    const { params, entities } = context.oidc;
    const { grant_type: grantType } = params ?? {};
    const grantId = entities.RefreshToken?.grantId;
    if (grantType === 'refresh_token' && grantId) ledger.refreshed(grantId);
  });
  provider.on('grant.error', (_context, error) => {
    if (error.error_detail === reuseDetail) ledger.counters.reuseDetected += 1;
  });
  return provider;
}

function clientMetadata(client: TestClient): ClientMetadata {
  const isPublic = client.clientSecret === undefined;
  return {
    client_id: client.clientId,
    ...(client.clientSecret !== undefined && { client_secret: client.clientSecret }),
    token_endpoint_auth_method: isPublic
      ? 'none'
      : (client.authentication ?? 'client_secret_basic'),
    application_type: 'native',
    grant_types: [
      'authorization_code',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
      ...(isPublic
        ? []
        : [
            'client_credentials',
            'urn:openid:params:grant-type:ciba',
            tokenExchangeGrant,
            jwtBearerGrant,
          ]),
    ],
    response_types: ['code'],
    redirect_uris: [...(client.redirectUris ?? ['http://127.0.0.1:9999/callback'])],
    id_token_signed_response_alg: 'ES256',
    ...(isPublic ? {} : { backchannel_token_delivery_mode: 'poll' }),
  };
}

function page(context: { type: string; body: unknown }, content: string): void {
  context.type = 'html';
  context.body = `<!doctype html><html lang="en"><title>Connect a device - test issuer</title>${content}</html>`;
}

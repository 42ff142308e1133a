import * as oidc from 'openid-client';
import { buildAuthorizationUrl, readCallback } from './authorization-code.ts';
import { pollOutcome, pollParameters, startDecoupled } from './decoupled-authorization.ts';
import { AuthError, ConfigurationError } from './errors.ts';
import type { Issuer, TokenOutcome, TokenSet } from './issuer.ts';
import {
  createMetadataSource,
  type MetadataFailure,
  type MetadataResult,
} from './issuer-metadata.ts';
import { createIssuerProofs } from './issuer-proofs.ts';
import {
  type IssuerTransport,
  type RequestHooks,
  type RequestProgress,
  requestFetch,
} from './issuer-request.ts';
import {
  checkedIssuerUrl,
  clientAuthenticationOf,
  type OpenidIssuerOptions,
} from './openid-issuer-options.ts';
import { isLoopback } from './protected-transport.ts';
import { Secret } from './secret.ts';
import { asksForStepUp, classifyTokenError, describeFailure } from './token-endpoint-error.ts';
import { parseTokenResponse } from './token-response.ts';
import { accessTokenType } from './token-types.ts';

export type { OpenidIssuerOptions } from './openid-issuer-options.ts';

const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

const jwtBearerGrant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** A token request in the making. */
interface TokenRequest {
  readonly grantType: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Binds what is issued to this key. */
  readonly proofKey: Secret | undefined;
  readonly hooks?: RequestHooks;
  /** Whether a good pair is kept when its response fails validation. */
  readonly salvage: boolean;
  /** Refuses an ID token by what it must hold. Absent accepts any that openid-client finds valid. */
  readonly refuseIdToken?: (claims: oidc.IDToken | undefined) => string | undefined;
}

/**
 * An issuer that speaks OAuth 2 or OpenID Connect, by way of openid-client.
 *
 * Its metadata is discovered at first use. It sends each request once.
 *
 * @throws {ConfigurationError} when an option is wrong; names the field, what was expected and what came.
 */
export function createOpenidIssuer(options: OpenidIssuerOptions): Issuer {
  const issuerUrl = checkedIssuerUrl(options);
  const authentication = clientAuthenticationOf(options);
  const transport: IssuerTransport = {
    fetch: options.fetch ?? globalThis.fetch,
    clock: options.clock,
    timeoutMs: options.requestTimeoutMs ?? 30_000,
  };
  const given = options.metadata;
  const metadataSource: () => Promise<MetadataResult> =
    given === undefined
      ? createMetadataSource(issuerUrl, transport)
      : async () => ({ metadata: given });

  const proofs = createIssuerProofs();

  /** Configurations that no request uses at the moment: making one copies the whole metadata. */
  const spare: oidc.Configuration[] = [];

  /** A configuration of its own for each request under way: openid-client looks its `fetch` up there. */
  function configure(
    metadata: oidc.ServerMetadata,
    progress: RequestProgress,
    hooks?: RequestHooks,
  ): oidc.Configuration {
    const configuration = spare.pop() ?? newConfiguration(metadata);
    configuration[oidc.customFetch] = requestFetch(transport, progress, hooks);
    return configuration;
  }

  function newConfiguration(metadata: oidc.ServerMetadata): oidc.Configuration {
    const { clientId } = options;
    const configuration = new oidc.Configuration(metadata, clientId, undefined, authentication);
    configuration.timeout = undefined;
    if (isLoopback(issuerUrl)) oidc.allowInsecureRequests(configuration);
    return configuration;
  }

  async function requestTokens(request: TokenRequest): Promise<TokenOutcome> {
    const source = await metadataSource();
    if (source.failure !== undefined) return source.failure;
    const progress: RequestProgress = { sent: false };
    const configuration = configure(source.metadata, progress, request.hooks);
    try {
      const { proofKey } = request;
      const response = await oidc.genericGrantRequest(
        configuration,
        request.grantType,
        request.parameters,
        proofKey && { DPoP: await proofs(configuration, proofKey) },
      );
      const claims = response.claims();
      const refused = request.refuseIdToken?.(claims);
      if (refused !== undefined) return rejected(refused);
      const tokens = boundTo(proofKey, parseTokenResponse(progress.body ?? ''));
      if (tokens === undefined)
        return { outcome: 'unknown', kind: 'protocol', error: 'unreadable_response' };
      const { id_token: idToken } = response;
      const kept = options.keepsIdTokens === true && idToken !== undefined;
      return {
        outcome: 'granted',
        tokens: {
          ...tokens,
          ...(claims === undefined ? {} : { subject: claims.sub }),
          ...(kept ? { idToken: new Secret(idToken) } : {}),
        },
      };
    } catch (error) {
      return failed(request, progress, error);
    } finally {
      spare.push(configuration);
    }
  }

  function failed(request: TokenRequest, progress: RequestProgress, error: unknown): TokenOutcome {
    if (progress.abandoned !== undefined) {
      const cause = progress.abandoned.reason;
      return { outcome: 'notSent', kind: 'transient', error: 'abandoned', cause };
    }
    const context = { body: progress.body, now: transport.clock.now() };
    if (request.salvage && progress.succeeded === true) {
      const tokens = boundTo(request.proofKey, parseTokenResponse(progress.body ?? ''));
      if (tokens !== undefined)
        return { outcome: 'granted', tokens, salvaged: describeFailure(error, context).error };
    }
    return classifyTokenError(error, progress.sent, context);
  }

  return {
    refresh({ refreshToken, scopes, resource, proofKey, beforeSend, onResponse }) {
      return requestTokens({
        proofKey,
        grantType: 'refresh_token',
        parameters: { refresh_token: refreshToken.reveal(), ...narrowing(scopes, resource) },
        hooks: { beforeSend, onResponse },
        salvage: true,
      });
    },

    clientCredentials({ scopes, resource, proofKey }) {
      return requestTokens({
        proofKey,
        grantType: 'client_credentials',
        parameters: narrowing(scopes, resource),
        salvage: true,
      });
    },

    async exchange({
      subject,
      actor,
      requestedType = accessTokenType,
      scopes,
      target,
      parameters,
      proofKey,
      beforeSend,
    }) {
      const outcome = await requestTokens({
        proofKey,
        grantType: tokenExchangeGrant,
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
        hooks: { beforeSend },
        // A response that fails validation is asked for again: nothing was used up.
        salvage: false,
      });
      return withoutDoubt(outcome);
    },

    async redeemAssertion({ assertion, scopes, proofKey, beforeSend }) {
      const outcome = await requestTokens({
        proofKey,
        grantType: jwtBearerGrant,
        parameters: { assertion: assertion.reveal(), scope: scopes.join(' ') },
        hooks: { beforeSend },
        salvage: false,
      });
      return withoutDoubt(outcome);
    },

    async exchangeCode({ callbackUrl, redirectUri, state, codeVerifier, proofKey, nonce }) {
      if (state === '')
        throw new ConfigurationError('code exchange: state: expected the state that was sent', [
          'state',
        ]);
      const source = await metadataSource();
      if (source.failure !== undefined) return source.failure;
      const { issuer, authorization_response_iss_parameter_supported: promised } = source.metadata;
      const callback = readCallback(callbackUrl, {
        state,
        issuer,
        issuerRequired: promised === true || options.responseIssuerRequired === true,
      });
      if (callback.refused !== undefined) return rejected(callback.refused);
      return requestTokens({
        proofKey,
        grantType: 'authorization_code',
        parameters: {
          code: callback.code,
          // As it was sent: openid-client's own code grant derives it from the callback, normalised.
          redirect_uri: redirectUri,
          code_verifier: codeVerifier.reveal(),
        },
        // Here validation decides whose tokens these are, and what is lost can be authorized again.
        salvage: false,
        refuseIdToken: (claims) => (claims?.nonce === nonce ? undefined : 'nonce_mismatch'),
      });
    },

    async authorizationUrl(request) {
      const source = await metadataSource();
      if (source.failure !== undefined) throw unavailable(source.failure);
      return buildAuthorizationUrl(configure(source.metadata, { sent: false }), request);
    },

    async startDecoupled(request) {
      const source = await metadataSource();
      if (source.failure !== undefined) throw unavailable(source.failure);
      const progress: RequestProgress = { sent: false };
      try {
        return await startDecoupled(configure(source.metadata, progress), request);
      } catch (error) {
        throw notStarted(classifyTokenError(error, progress.sent));
      }
    },

    async pollDecoupled(flow, code, proofKey) {
      const request = pollParameters(flow, code);
      // As with a code: validation decides whose tokens these are.
      return pollOutcome(await requestTokens({ ...request, proofKey, salvage: false }));
    },

    async probe(refreshToken) {
      const source = await metadataSource();
      if (source.failure !== undefined) return 'unknown';
      try {
        const configuration = configure(source.metadata, { sent: false });
        const hint = { token_type_hint: 'refresh_token' };
        const found = await oidc.tokenIntrospection(configuration, refreshToken.reveal(), hint);
        return found.active ? 'active' : 'inactive';
      } catch {
        // No endpoint, no permission, no answer: whatever it is, the token's state is not known.
        return 'unknown';
      }
    },

    async revoke(token, kind) {
      const source = await metadataSource();
      if (source.failure !== undefined) return 'failed';
      const progress: RequestProgress = { sent: false };
      try {
        const configuration = configure(source.metadata, progress);
        await oidc.tokenRevocation(configuration, token.reveal(), { token_type_hint: kind });
        return 'revoked';
      } catch (error) {
        const failure = describeFailure(error, { body: progress.body });
        if (failure.status !== 400) return 'failed';
        // Some issuers say so of a token they no longer know, instead of 200 (RFC 7009 section 2.2).
        if (failure.error === 'invalid_token') return 'revoked';
        return failure.error === 'unsupported_token_type' ? 'unsupported' : 'failed';
      }
    },

    parse: parseTokenResponse,
  };
}

function boundTo(proofKey: Secret | undefined, tokens: TokenSet | undefined): TokenSet | undefined {
  return tokens === undefined || proofKey === undefined ? tokens : { ...tokens, proofKey };
}

/** What leaves a doubt about a refresh token leaves none about an exchange: the issuer has answered no. */
function withoutDoubt(outcome: TokenOutcome): TokenOutcome {
  const { outcome: what } = outcome;
  if (what !== 'rejected' && (what !== 'unknown' || outcome.kind !== 'bad_request')) return outcome;
  const kind = outcome.kind === 'step_up_required' ? 'step_up_required' : 'issuer_refused';
  return { outcome: 'refused', kind, error: outcome.error, cause: outcome.cause };
}

function narrowing(
  scopes: readonly string[] | undefined,
  resource: string | undefined,
): Readonly<Record<string, string>> {
  return {
    ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
    ...(resource === undefined ? {} : { resource }),
  };
}

function notStarted(failure: TokenOutcome): AuthError {
  if (failure.outcome === 'granted') throw new Error('what failed was not granted');
  const { kind, error: reason, cause } = failure;
  if (kind === 'misconfigured') return new AuthError(kind, { reason, cause });
  const passes = kind === 'transient' || kind === 'rate_limited';
  return new AuthError(passes ? 'issuer_unavailable' : 'issuer_refused', { reason, cause });
}

function rejected(error: string): TokenOutcome {
  const kind = asksForStepUp(error) ? 'step_up_required' : 'reauthorization_required';
  return { outcome: 'rejected', kind, error };
}

function unavailable({ kind, error, retryAfterMs, cause }: MetadataFailure): AuthError {
  const code = kind === 'misconfigured' ? 'misconfigured' : 'issuer_unavailable';
  const detail = `the issuer's metadata could not be discovered: ${error}`;
  return new AuthError(code, { detail, reason: error, retryAfterMs, cause });
}

import * as oidc from 'openid-client';
import type { TokenOutcome } from './issuer.ts';
import { type IssuerTransport, type RequestProgress, requestFetch } from './issuer-request.ts';
import { isLoopback } from './protected-transport.ts';
import { describeFailure, isNetworkFailure } from './token-endpoint-error.ts';

/** Why there is no metadata. Nothing was sent to the token endpoint. */
export type MetadataFailure = Extract<TokenOutcome, { readonly outcome: 'notSent' }>;

/** The issuer's metadata, or why it is not known. */
export type MetadataResult =
  | { readonly metadata: oidc.ServerMetadata; readonly failure?: undefined }
  | { readonly failure: MetadataFailure };

/**
 * Discovers an issuer when it is first needed (OpenID Connect Discovery 1.0; RFC 8414 where the issuer only has
 * that). Concurrent callers share one discovery; a success is kept, a failure is tried again by the next caller.
 */
export function createMetadataSource(
  issuer: URL,
  transport: IssuerTransport,
): () => Promise<MetadataResult> {
  let current: Promise<MetadataResult> | undefined;
  return () => {
    current ??= discover(issuer, transport).then((result) => {
      if (result.failure !== undefined) current = undefined;
      return result;
    });
    return current;
  };
}

async function discover(issuer: URL, transport: IssuerTransport): Promise<MetadataResult> {
  const openid = await attempt(issuer, transport, 'oidc');
  return openid.failure?.error === 'http_404' ? attempt(issuer, transport, 'oauth2') : openid;
}

async function attempt(
  issuer: URL,
  transport: IssuerTransport,
  algorithm: 'oidc' | 'oauth2',
): Promise<MetadataResult> {
  const progress: RequestProgress = { sent: false };
  try {
    const configuration = await oidc.discovery(issuer, 'discovery', undefined, undefined, {
      algorithm,
      execute: isLoopback(issuer) ? [oidc.allowInsecureRequests] : [],
      [oidc.customFetch]: requestFetch(transport, progress),
    });
    const metadata = configuration.serverMetadata();
    // openid-client lets some well-known issuers differ. Grants are keyed by issuer: ours must be the one.
    if (new URL(metadata.issuer).href === issuer.href) return { metadata };
    return { failure: { outcome: 'notSent', kind: 'misconfigured', error: 'issuer_mismatch' } };
  } catch (error) {
    const {
      status,
      error: code,
      retryAfterMs,
      cause,
    } = describeFailure(error, {
      now: transport.clock.now(),
    });
    const kind =
      status === 429
        ? 'rate_limited'
        : status === 408 || (status ?? 0) >= 500 || (progress.sent && isNetworkFailure(error))
          ? 'transient'
          : 'misconfigured';
    return {
      failure: {
        outcome: 'notSent',
        kind,
        error: code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' ? 'issuer_mismatch' : code,
        cause,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      },
    };
  }
}

import * as oidc from 'openid-client';
import type { TestIssuer } from '../src/index.ts';

/** openid-client, configured for the issuer's confidential client. */
export function confidentialClient(issuer: TestIssuer): Promise<oidc.Configuration> {
  return oidc.discovery(
    new URL(issuer.url),
    'agent',
    undefined,
    oidc.ClientSecretBasic('agent-secret'),
    { execute: [oidc.allowInsecureRequests] },
  );
}

/** The OAuth error code that a request is refused with. */
export function errorOf(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'none',
    (error: unknown) => (error instanceof oidc.ResponseBodyError ? error.error : String(error)),
  );
}

/** A refresh by bare fetch: the response as it came. */
export function postRefresh(issuer: TestIssuer, refreshToken: string): Promise<Response> {
  return fetch(`${issuer.url}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
  });
}

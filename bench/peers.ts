import { OAuth2Client as BadgatewayClient, OAuth2Fetch } from '@badgateway/oauth2-client';
import { OAuth2Client as GoogleClient } from 'google-auth-library';
import type { SeededTokens } from './issuer-process.ts';

/** Where a peer gets and sends its tokens. */
export interface PeerSetup {
  readonly issuer: string;
  readonly tokens: SeededTokens;
}

/** google-auth-library. It refreshes `eagerRefreshMs` before a token expires. */
export function createGoogleClient(
  { issuer, tokens }: PeerSetup,
  eagerRefreshMs: number,
): GoogleClient {
  const client = new GoogleClient({
    clientId: 'post',
    clientSecret: 'secret',
    endpoints: { oauth2TokenUrl: `${issuer}/token` },
    eagerRefreshThresholdMillis: eagerRefreshMs,
  });
  client.setCredentials({
    access_token: tokens.access_token,
    refresh_token: tokens.refresh_token,
    expiry_date: Date.now() + tokens.expires_in * 1000,
  });
  return client;
}

/** `@badgateway/oauth2-client`. It refreshes when a token has expired, or by timer where it lives two minutes or more. */
export function createBadgatewayFetch({ issuer, tokens }: PeerSetup): OAuth2Fetch {
  const client = new BadgatewayClient({
    server: issuer,
    clientId: 'basic',
    clientSecret: 'secret',
    tokenEndpoint: `${issuer}/token`,
    authenticationMethod: 'client_secret_basic',
  });
  return new OAuth2Fetch({
    client,
    scheduleRefresh: false,
    getStoredToken: () => ({
      accessToken: tokens.access_token,
      refreshToken: tokens.refresh_token,
      expiresAt: Date.now() + tokens.expires_in * 1000,
    }),
    getNewToken: () => null,
  });
}

import { OAuth2Client, OAuth2Fetch } from '@badgateway/oauth2-client';
import { type Contestant, postClient } from '../contestant.ts';
import { needTokens, writeTokens } from '../token-file.ts';

/** `OAuth2Fetch` with `getStoredToken` and `storeToken`, as its documentation advises. */
export const contestant: Contestant = {
  async open(session) {
    const client = new OAuth2Client({
      ...postClient,
      server: session.issuer,
      tokenEndpoint: '/token',
      authenticationMethod: 'client_secret_post',
    });
    const wrapper = new OAuth2Fetch({
      client,
      scheduleRefresh: false,
      async getStoredToken() {
        const stored = await needTokens(session.tokenFile);
        return {
          accessToken: stored.access_token,
          refreshToken: stored.refresh_token,
          expiresAt: stored.expires_at,
        };
      },
      storeToken: (token) =>
        writeTokens(session.tokenFile, {
          access_token: token.accessToken,
          refresh_token: token.refreshToken,
          expires_at: token.expiresAt,
        }),
      // Asked when the tokens are of no more use: here a person would have to sign in.
      getNewToken() {
        session.loginPrompted();
        return null;
      },
    });
    return {
      async call() {
        const response = await wrapper.fetch(`${session.apiUrl}items`);
        await response.arrayBuffer();
        return response.status;
      },
    };
  },
};

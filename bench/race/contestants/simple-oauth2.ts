import simpleOAuth2 from 'simple-oauth2';
import { type Contestant, callApi, postClient } from '../contestant.ts';
import { needTokens, storedTokens, writeTokens } from '../token-file.ts';

/** Reads the stored tokens, asks `expired()`, calls `refresh()`, stores: the steps of its documentation. */
export const contestant: Contestant = {
  async open(session) {
    const client = new simpleOAuth2.AuthorizationCode({
      client: { id: postClient.clientId, secret: postClient.clientSecret },
      auth: { tokenHost: session.issuer, tokenPath: '/token' },
      options: { authorizationMethod: 'body' },
    });
    return {
      async call() {
        let stored = await needTokens(session.tokenFile);
        const token = client.createToken({ ...stored, expires_at: new Date(stored.expires_at) });
        if (token.expired()) {
          const refreshed = await token.refresh();
          stored = storedTokens(refreshed.token, stored);
          await writeTokens(session.tokenFile, stored);
        }
        return callApi(session, stored.access_token);
      },
    };
  },
};

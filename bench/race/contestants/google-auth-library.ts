import { OAuth2Client } from 'google-auth-library';
import { type Contestant, postClient } from '../contestant.ts';
import { needTokens, writeTokens } from '../token-file.ts';

/** `OAuth2Client` with the `tokens` event writing to the file, as its documentation advises. */
export const contestant: Contestant = {
  async open(session) {
    const client = new OAuth2Client({
      ...postClient,
      endpoints: { oauth2TokenUrl: `${session.issuer}/token` },
      // The default of five minutes is longer than these tokens live.
      eagerRefreshThresholdMillis: 0,
    });
    const stored = await needTokens(session.tokenFile);
    let writing = Promise.resolve();
    client.setCredentials({
      access_token: stored.access_token,
      refresh_token: stored.refresh_token,
      expiry_date: stored.expires_at,
    });
    client.on('tokens', ({ access_token, refresh_token, expiry_date }) => {
      const tokens = { access_token, refresh_token, expires_at: expiry_date };
      writing = writing.then(() => writeTokens(session.tokenFile, tokens));
    });
    return {
      async call() {
        const { status } = await client.request({ url: `${session.apiUrl}items` });
        return status;
      },
      close: () => writing,
    };
  },
};

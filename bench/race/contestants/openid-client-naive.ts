import { refreshTokenGrant } from 'openid-client';
import { type Contestant, callApi } from '../contestant.ts';
import { needTokens, storedTokens, writeTokens } from '../token-file.ts';
import { configuration } from './openid-client.ts';

/** Refreshes where the token is used, as most first versions do. */
export const contestant: Contestant = {
  async open(session) {
    const issuer = await configuration(session.issuer);
    return {
      async call() {
        let tokens = await needTokens(session.tokenFile);
        if (tokens.expires_at <= Date.now()) {
          tokens = storedTokens(await refreshTokenGrant(issuer, tokens.refresh_token), tokens);
          await writeTokens(session.tokenFile, tokens);
        }
        return callApi(session, tokens.access_token);
      },
    };
  },
};

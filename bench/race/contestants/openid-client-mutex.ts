import { Mutex } from 'async-mutex';
import { refreshTokenGrant } from 'openid-client';
import { type Contestant, callApi } from '../contestant.ts';
import { needTokens, storedTokens, writeTokens } from '../token-file.ts';
import { configuration } from './openid-client.ts';

/** One refresh at a time in each process; whoever waited reads the file again. */
export const contestant: Contestant = {
  async open(session) {
    const issuer = await configuration(session.issuer);
    const mutex = new Mutex();
    return {
      async call() {
        let tokens = await needTokens(session.tokenFile);
        if (tokens.expires_at <= Date.now())
          tokens = await mutex.runExclusive(async () => {
            const current = await needTokens(session.tokenFile);
            if (current.expires_at > Date.now()) return current;
            const response = await refreshTokenGrant(issuer, current.refresh_token);
            const next = storedTokens(response, current);
            await writeTokens(session.tokenFile, next);
            return next;
          });
        return callApi(session, tokens.access_token);
      },
    };
  },
};

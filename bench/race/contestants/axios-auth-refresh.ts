import { createRequire } from 'node:module';
import { createAuthRefresh } from 'axios-auth-refresh';
import { type Contestant, postClient } from '../contestant.ts';
import { needTokens, storedTokens, writeTokens } from '../token-file.ts';

// axios-auth-refresh is typed for the axios that `require` answers, and the two sets of types do not mix.
const axios: Parameters<typeof createAuthRefresh>[0] = createRequire(import.meta.url)('axios');

/**
 * The interceptors of its documentation: one reads the token for every request, the other refreshes after a 401. The
 * token file takes the place of `localStorage`.
 */
export const contestant: Contestant = {
  async open(session) {
    const api = axios.create({ baseURL: session.apiUrl });
    api.interceptors.request.use(async (request) => {
      const { access_token } = await needTokens(session.tokenFile);
      request.headers.set('Authorization', `Bearer ${access_token}`);
      return request;
    });
    createAuthRefresh(api, async (failed) => {
      const stored = await needTokens(session.tokenFile);
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: stored.refresh_token,
        client_id: postClient.clientId,
        client_secret: postClient.clientSecret,
      });
      const { data } = await axios.post(`${session.issuer}/token`, form);
      const tokens = storedTokens(data, stored);
      await writeTokens(session.tokenFile, tokens);
      failed.response.config.headers.Authorization = `Bearer ${tokens.access_token}`;
    });
    return {
      async call() {
        const { status } = await api.get('items');
        return status;
      },
    };
  },
};

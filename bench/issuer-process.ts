// An issuer whose token endpoint is slow. Arguments: latency and token lifetime, in ms.
import { createTestIssuer } from '@outlive/testing';
import { childIsReady } from './child.ts';

/** What this process says when it is ready. */
export interface IssuerReady {
  readonly url: string;
  /** Token responses of one grant for each client of the race. */
  readonly outlive: SeededTokens;
  readonly google: SeededTokens;
  readonly badgateway: SeededTokens;
}

/** The fields of a token response that clients start from. */
export interface SeededTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: string;
  readonly expires_in: number;
}

const [latencyMs, accessTokenLifetimeMs] = process.argv.slice(2).map(Number);
if (latencyMs === undefined || accessTokenLifetimeMs === undefined)
  throw new TypeError('issuer-process: expected two arguments, latency and lifetime in ms');

const issuer = await createTestIssuer({
  accessTokenLifetimeMs,
  // google-auth-library presents its first refresh token for ever; a strict issuer would end its grant.
  reuse: { leewayMs: 3_600_000 },
  clients: [
    { clientId: 'basic', clientSecret: 'secret' },
    { clientId: 'post', clientSecret: 'secret', authentication: 'client_secret_post' },
  ],
});
const seed = async (clientId: string): Promise<SeededTokens> =>
  (await issuer.seedGrant({ subject: 'alice', clientId })).tokenResponse;
const ready: IssuerReady = {
  url: issuer.url,
  outlive: await seed('basic'),
  google: await seed('post'),
  badgateway: await seed('basic'),
};
issuer.options.latencyMs = latencyMs;
childIsReady(ready);

import * as oauth from 'openid-client';
import { basicClient } from '../contestant.ts';

let discovered: Promise<oauth.Configuration> | undefined;

/** The configuration of the race's issuer, discovered once in each process. */
export function configuration(issuer: string): Promise<oauth.Configuration> {
  const { clientId, clientSecret } = basicClient;
  const authentication = oauth.ClientSecretBasic(clientSecret);
  discovered ??= oauth.discovery(new URL(issuer), clientId, clientSecret, authentication, {
    execute: [oauth.allowInsecureRequests],
  });
  return discovered;
}

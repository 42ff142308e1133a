import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestIssuer, type TestIssuer } from '@outlive/testing';
import { startControl } from './control.ts';
import { type DeskApi, deskAudience, deskScopes, startDeskApi } from './desk-api.ts';

const clientId = 'chat';
const clientSecret = 'chat-secret';

/** Requests of a run that lists the tickets and closes three of them: the last one meets the end of the access. */
const requestsUntilRevocation = 4;

/** Everything around the app: an issuer, a support desk, and a folder for what the app keeps. */
export interface World extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly desk: DeskApi;
  readonly folder: string;
  /** What the app is started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends the app's access at the issuer, as a person does in their account settings (RFC 7009). */
  revoke(): Promise<void>;
  /** Ends it in the middle of the next run. */
  revokeMidRun(): void;
}

/** Starts the world of an app at `appUrl`. */
export async function startWorld(appUrl: string): Promise<World> {
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs: 60_000,
    resources: { [deskAudience]: { scopes: deskScopes } },
    clients: [{ clientId, clientSecret, redirectUris: [`${appUrl}/connect/callback`] }],
  });
  const desk = await startDeskApi(issuer);
  const folder = await mkdtemp(join(tmpdir(), 'outlive-chat-'));

  async function revoke(): Promise<void> {
    const newest = issuer.issuedTokens().findLast(({ type }) => type === 'refresh_token');
    if (newest === undefined) return;
    const response = await fetch(`${issuer.url}/token/revocation`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
      body: new URLSearchParams({ token: newest.value }),
    });
    if (!response.ok) throw new Error(`the revocation was answered with ${response.status}`);
  }
  const revokeMidRun = (): void => desk.atRequest(requestsUntilRevocation, revoke);
  const control = await startControl(revokeMidRun);

  return {
    issuer,
    desk,
    folder,
    revoke,
    revokeMidRun,
    environment: {
      APP_URL: appUrl,
      DATA_FOLDER: folder,
      SEALING_KEY: randomBytes(32).toString('base64'),
      HASH_KEY: randomBytes(32).toString('base64'),
      ISSUER_URL: issuer.url,
      CLIENT_ID: clientId,
      CLIENT_SECRET: clientSecret,
      DESK_URL: desk.url,
      SCRIPTED_MODEL: new URL('scripted-model.ts', import.meta.url).href,
      DEMO_CONTROL_URL: control.url,
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([control.close(), desk.close(), issuer.close()]);
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

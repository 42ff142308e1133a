import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestIssuer, type SeededGrant, type TestIssuer } from '@outlive/testing';
import { employee } from './runtime.ts';
import { type SupportApi, startSupportApi, supportAudience, supportScopes } from './support-api.ts';

/** How long an access token lives, ms. */
export const accessTokenLifetimeMs = 3000;

/** The secret of the client that the test issuer knows. */
export const clientSecret = 'agent-secret';

/** Everything around the agent: an issuer, an API, the employee's grant, and a folder for whatever a run leaves. */
export interface World extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly api: SupportApi;
  readonly grantId: string;
  readonly tokens: SeededGrant['tokenResponse'];
  readonly folder: string;
  /** The path of a file in the folder. */
  path(name: string): string;
  /** Ms since the issuer gave out the newest token pair. */
  tokenAgeMs(): number;
  /** Enables or disables the employee in the directory, as an HR system would (SCIM, RFC 7644 section 3.5.2). */
  setEmployeeActive(active: boolean): Promise<void>;
}

/** Starts the world. */
export async function startWorld(options: { readonly keep: boolean }): Promise<World> {
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs,
    reuse: 'strict',
    latencyMs: 150,
    accessTokenRevocation: 'token',
    resources: { [supportAudience]: { scopes: supportScopes } },
  });
  const api = await startSupportApi(issuer);
  const { grantId, tokenResponse } = await issuer.seedGrant({ subject: employee });
  const folder = await mkdtemp(join(tmpdir(), 'outlive-demo-'));

  let newest = { refreshes: 0, at: Date.now() };
  const watch = setInterval(() => {
    const { refreshes } = issuer.counters;
    if (refreshes > newest.refreshes) newest = { refreshes, at: Date.now() };
  }, 10);

  return {
    issuer,
    api,
    grantId,
    tokens: tokenResponse,
    folder,
    path: (name) => join(folder, name),
    tokenAgeMs: () => Date.now() - newest.at,
    async setEmployeeActive(active) {
      const response = await fetch(`${issuer.url}/scim/v2/Users/${employee}`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${issuer.adminToken}` },
        body: JSON.stringify({
          schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
          Operations: [{ op: 'replace', path: 'active', value: active }],
        }),
      });
      if (!response.ok) throw new Error(`the directory answered ${response.status}`);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(watch);
      await api[Symbol.asyncDispose]();
      await issuer.close();
      if (!options.keep) await rm(folder, { recursive: true, maxRetries: 5 });
    },
  };
}

import { appendFile } from 'node:fs/promises';
import { createOutlive, type Gate } from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';
import type { RuntimeSettings } from './messages.ts';
import { supportScopes } from './support-api.ts';

/** The person whose authority the agent uses. */
export const employee = 'ana';

/** The admin who may confirm that a paused task goes on. */
export const admin = 'grace';

/** The runtime as every process of the demo opens it: one SQLite file, one set of keys. */
export function openRuntime(settings: RuntimeSettings) {
  const store = sqliteStore({ path: settings.storePath });
  const outlive = createOutlive({
    store,
    keys: settings.keys,
    providers: {
      company: {
        issuer: settings.issuerUrl,
        clientId: 'agent',
        clientSecret: settings.clientSecret,
        profile: { rotation: 'strict', probe: true, accessTokenRevocation: 'token' },
        delegation: 'narrowedRefresh',
      },
    },
    resources: {
      support: { provider: 'company', baseUrl: settings.apiUrl, scopes: supportScopes },
    },
    gate: [{ name: 'directory', check: directory(settings.issuerUrl) }],
    policy: {
      gateCacheMs: 500,
      authorize: ({ by }) => (by === admin ? { id: admin, roles: ['admin'] } : undefined),
    },
    audit: {
      sinks: [
        {
          name: 'json-lines',
          write: (entry) => appendFile(settings.auditPath, `${JSON.stringify(entry)}\n`),
        },
      ],
    },
  });
  return {
    outlive,
    async [Symbol.asyncDispose](): Promise<void> {
      await outlive.close();
      await store.close();
    },
  };
}

/** Asks the directory (SCIM 2.0, RFC 7644) whether the person is still active. */
function directory(url: string): Gate {
  return async ({ subject }, { signal }) => {
    const response = await fetch(`${url}/scim/v2/Users/${subject}`, { signal });
    if (!response.ok) return 'unknown';
    const user: unknown = await response.json();
    const isActive = typeof user === 'object' && user !== null && 'active' in user && user.active;
    return isActive === true ? 'active' : 'revoked';
  };
}

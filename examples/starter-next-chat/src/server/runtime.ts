import { join } from 'node:path';
import { alwaysActive, createOutlive, type Outlive } from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';
import { environment } from './environment.ts';

/** Scopes of the support desk, and those that ask the issuer who signs in. */
export const connectionScopes = ['openid', 'offline_access', 'tickets:read', 'tickets:write'];

// Next bundles each route by itself, and `next dev` loads modules again: the process has one runtime all the same.
const shared = globalThis as { outliveRuntime?: Outlive };

/** The runtime of this process. */
export function outlive(): Outlive {
  shared.outliveRuntime ??= openRuntime();
  return shared.outliveRuntime;
}

function openRuntime(): Outlive {
  const {
    APP_URL,
    DATA_FOLDER,
    SEALING_KEY,
    HASH_KEY,
    ISSUER_URL,
    CLIENT_ID,
    CLIENT_SECRET,
    DESK_URL,
  } = environment();
  const runtime: Outlive = createOutlive({
    store: sqliteStore({ path: join(DATA_FOLDER, 'outlive.db') }),
    keys: { current: 'k1', ring: { k1: SEALING_KEY }, hash: HASH_KEY },
    providers: {
      desk: {
        issuer: ISSUER_URL,
        clientId: CLIENT_ID,
        clientSecret: CLIENT_SECRET,
        redirectUri: `${APP_URL}/connect/callback`,
      },
    },
    resources: {
      desk: { provider: 'desk', baseUrl: DESK_URL, scopes: ['tickets:read', 'tickets:write'] },
    },
    gate: alwaysActive, // ask your directory
    policy: {
      // Only the person a task acts for decides about it; `by` is their id from the session.
      authorize: async ({ by, pause }) => {
        const task = await runtime.task(pause.taskId);
        return task?.principal.subject === by ? { id: by, roles: ['user'] } : undefined;
      },
    },
  });
  return runtime;
}

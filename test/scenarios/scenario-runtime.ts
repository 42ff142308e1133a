import {
  type AuditSink,
  type Authorizer,
  type Clock,
  createOutlive,
  type Outlive,
  type Store,
} from '@outlive/core';
import { sqliteStore } from '@outlive/sqlite';

/** What processes need to have the same runtime, as JSON. */
export interface RuntimeSetup {
  readonly issuerUrl: string;
  readonly apiUrl: string;
  readonly storePath: string;
  /** Base64 of 32 bytes each. */
  readonly keys: { readonly sealing: string; readonly hash: string };
}

/** What a process has of its own. */
export interface RuntimeParts {
  readonly clock?: Clock;
  readonly sinks?: readonly AuditSink[];
}

/** One process of the app: a runtime and its own connection to the shared file. */
export interface ScenarioRuntime extends AsyncDisposable {
  readonly outlive: Outlive;
  readonly store: Store;
}

/** Scopes of the protected API. The names appear nowhere else, so that they can be searched for. */
export const scopes = ['billing.see', 'billing.note', 'billing.pay'] as const;

const people = { alice: 'user', root: 'admin', ops: 'operator' } as const;

/** Everybody who may decide about pauses. */
export const approvers: readonly string[] = Object.keys(people);

/** Knows the people who may decide, and the one role that each has. */
export const authorize: Authorizer = ({ by }) =>
  Object.hasOwn(people, by) ? { id: by, roles: [people[by as keyof typeof people]] } : undefined;

/** Whoever is asked agrees, until the pause is decided. */
export async function approve(outlive: Outlive, pauseId: string): Promise<void> {
  for (const by of approvers) {
    const { status } = await outlive.decide(pauseId, { decision: 'resume', by });
    if (status === 'decided') return;
  }
  throw new Error(`nobody could decide about ${pauseId}`);
}

/** Opens the runtime of this process. The issuer is also the directory that the gate asks. */
export function openRuntime(setup: RuntimeSetup, parts: RuntimeParts = {}): ScenarioRuntime {
  const { issuerUrl, apiUrl, storePath, keys } = setup;
  const store = sqliteStore({ path: storePath });
  const outlive = createOutlive({
    store,
    keys: {
      current: 'first',
      ring: { first: Buffer.from(keys.sealing, 'base64') },
      hash: Buffer.from(keys.hash, 'base64'),
    },
    providers: { acme: { issuer: issuerUrl, clientId: 'agent', clientSecret: 'agent-secret' } },
    resources: { billing: { provider: 'acme', baseUrl: apiUrl, scopes } },
    async gate({ subject }, { signal }) {
      const response = await fetch(`${issuerUrl}/scim/v2/Users/${subject}`, { signal });
      const { active } = (await response.json()) as { readonly active?: boolean };
      return active === true ? 'active' : 'revoked';
    },
    policy: {
      gateCacheMs: 0,
      maintainMs: 0,
      authorize,
    },
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
    ...(parts.sinks === undefined ? {} : { audit: { sinks: parts.sinks } }),
  });
  return {
    outlive,
    store,
    async [Symbol.asyncDispose]() {
      await outlive.close();
      await store.close();
    },
  };
}

import { randomBytes } from 'node:crypto';
import type { ClientTool } from '@langchain/core/tools';
import {
  alwaysActive,
  createOutlive,
  memoryStore,
  type Outlive,
  type Requirement,
  type Task,
} from '@outlive/core';
import { withCredential } from '@outlive/langchain';
import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '@outlive/testing';
import { z } from 'zod';
import { approve, authorize } from './scenario-runtime.ts';
import { principal } from './scenario-world.ts';

/** The two providers, and the resource that each has. */
export const providers = ['books', 'mail'] as const;
/** One of the two. */
export type Provider = (typeof providers)[number];

/** A person who has accounts at two providers, with an issuer and an API each, and a tool for each account. */
export interface TwoProviders extends AsyncDisposable {
  readonly outlive: Outlive;
  /** `books` and `mail`: each sends one irreversible request to its own API. */
  readonly tools: readonly ClientTool[];
  startTask(): Promise<Task>;
  /** How many requests the API of the provider has served. */
  served(provider: Provider): number;
  /** The person is signed out there: no token of the grant is good for anything. */
  disconnect(provider: Provider): Promise<void>;
  /** The person connects the account anew. */
  reconnect(provider: Provider, scopes?: readonly string[]): Promise<void>;
  /** Whoever is asked agrees, until the pause is decided. */
  approve(pauseId: string): Promise<void>;
}

const scopes = ['read', 'write'] as const;

/** Makes the providers, with both accounts connected with `granted`; dispose them after the scenario. */
export async function createTwoProviders(
  granted: readonly string[] = scopes,
): Promise<TwoProviders> {
  const places = {
    books: await createPlace('https://books.example/'),
    mail: await createPlace('https://mail.example/'),
  };
  const client = { clientId: 'agent', clientSecret: 'agent-secret' };
  const outlive = createOutlive({
    store: memoryStore(),
    keys: { current: 'k', ring: { k: randomBytes(32) }, hash: randomBytes(32) },
    providers: {
      books: { issuer: places.books.issuer.url, ...client },
      mail: { issuer: places.mail.issuer.url, ...client },
    },
    resources: {
      books: { provider: 'books', baseUrl: places.books.api.url, scopes },
      mail: { provider: 'mail', baseUrl: places.mail.api.url, scopes },
    },
    gate: alwaysActive,
    policy: { maintainMs: 0, authorize },
  });
  const refreshTokens = { books: '', mail: '' };
  async function connect(provider: Provider, replace: boolean, given: readonly string[]) {
    const { tokenResponse: tokens } = await places[provider].issuer.seedGrant({
      ...{ ...principal, scopes: given },
    });
    refreshTokens[provider] = tokens.refresh_token;
    await outlive.grants.import({ provider, principal, tokens, replace });
  }
  for (const provider of providers) await connect(provider, false, granted);

  return {
    outlive,
    tools: providers.map((provider) =>
      withCredential(
        requirementOf(provider),
        async (_input, { principal: { fetch } }) => (await fetch('', { method: 'POST' })).text(),
        { name: provider, description: provider, schema: z.object({ about: z.string() }) },
      ),
    ),
    startTask: () =>
      outlive.startTask({
        principal,
        agent: 'clerk',
        requirements: providers.map(requirementOf),
        expectedDurationMs: 60_000,
      }),
    served: (provider) => places[provider].api.accepted.length,
    async disconnect(provider) {
      const response = await fetch(`${places[provider].issuer.url}/token/revocation`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
        body: new URLSearchParams({ token: refreshTokens[provider] }),
      });
      if (!response.ok) throw new Error(`the issuer did not revoke: ${response.status}`);
    },
    reconnect: (provider, given = scopes) => connect(provider, true, given),
    approve: (pauseId) => approve(outlive, pauseId),
    async [Symbol.asyncDispose]() {
      await outlive.close();
      for (const { api, issuer } of Object.values(places)) {
        await api.close();
        await issuer.close();
      }
    },
  };
}

/** The authors of the tools do not know that the APIs want more than this. */
function requirementOf(provider: Provider): Requirement {
  return { resource: provider, scopes: ['read'], effect: 'irreversible' };
}

async function createPlace(
  resource: string,
): Promise<{ readonly issuer: TestIssuer; readonly api: ProtectedApi }> {
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs: 600_000,
    resources: { [resource]: { scopes } },
  });
  const api = await createProtectedApi({
    issuer,
    routes: { 'POST /': { scopes: ['write'], handle: () => new Response(`done at ${resource}`) } },
  });
  return { issuer, api };
}

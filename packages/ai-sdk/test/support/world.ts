import { randomBytes } from 'node:crypto';
import {
  AuthError,
  createOutlive,
  memoryStore,
  type Outlive,
  type Store,
  type Task,
} from '@outlive/core';
import { type ApiRoute, createProtectedApi, createTestIssuer } from '@outlive/testing';
import type { PausedRun } from '../../src/index.ts';
import { files, mail } from './tools.ts';

/** Where the person has connected accounts: one provider a resource. */
export type Provider = 'acme' | 'globex';

/** A person with a task, and what a protected API lets the task's tools do. */
export interface Story {
  readonly task: Task;
  /** The process the task was started in. */
  readonly outlive: Outlive;
  /** Another process on the same store. */
  readonly elsewhere: Outlive;
  /** Names of tools that the API refuses: it says that their scope does not suffice (RFC 6750 section 3.1). */
  readonly refused: Set<string>;
  /** Names of the tools whose requests were served. */
  served(): readonly string[];
  /** The person agrees that the task goes on. */
  agree(paused: Pick<PausedRun, 'pauseId'>): Promise<void>;
  /** The directory says that the person is suspended, and later that they are back. */
  suspend(): Promise<void>;
  reinstate(): Promise<void>;
  /** The person disconnects an account at the issuer, and this process finds out. */
  disconnect(provider: Provider): Promise<void>;
  reconnect(provider: Provider): Promise<void>;
  /** Another task for the same person. */
  startTask(): Promise<Task>;
}

/** An issuer, an API and two processes, all real. */
export interface World extends AsyncDisposable {
  startStory(): Promise<Story>;
  /** From now on nothing can be written. */
  breakStore(): void;
  repairStore(): void;
  /** Every access token the API has seen, to be searched for where none may be. */
  tokens(): readonly string[];
}

/** Starts a world; dispose it after the tests. */
export async function createWorld(): Promise<World> {
  const issuer = await createTestIssuer({ accessTokenLifetimeMs: 600_000 });
  const [indicator = ''] = Object.keys(issuer.options.resources);
  const refusedFor = new Map<string, Set<string>>();
  const servedFor = new Map<string, string[]>();
  const mails: ApiRoute = {
    scopes: [],
    handle(_request, { subject, params: { tool = '' } }) {
      if (refusedFor.get(subject)?.has(tool)) {
        const challenge = 'Bearer error="insufficient_scope", scope="SECRET-SCOPE"';
        return new Response(null, { status: 403, headers: { 'www-authenticate': challenge } });
      }
      servedFor.get(subject)?.push(tool);
      return Response.json({ from: tool });
    },
  };
  const api = await createProtectedApi({
    issuer,
    routes: {
      'GET /mails/:tool': mails,
      'POST /mails/:tool': mails,
      'GET /files/:tool': mails,
    },
  });

  const working = memoryStore();
  let broken = false;
  const store: Store = {
    ...working,
    compareAndSwap: async (...change) => {
      if (broken) throw new Error('the store is gone');
      return await working.compareAndSwap(...change);
    },
  };
  const keys = { current: 'k', ring: { k: randomBytes(32) }, hash: randomBytes(32) };
  const process = (): Outlive =>
    createOutlive({
      store,
      keys,
      providers: {
        acme: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' },
        globex: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' },
      },
      resources: {
        mail: { provider: 'acme', baseUrl: api.url, scopes: mail.scopes },
        files: { provider: 'globex', baseUrl: api.url, scopes: files.scopes },
      },
      gate: () => 'active',
      policy: {
        escalate: () => ['user'],
        authorize: ({ by }) => ({ id: by, roles: ['user'] }),
        maintainMs: 0,
      },
    });
  const outlive = process();
  const elsewhere = process();
  let people = 0;

  async function startStory(): Promise<Story> {
    people += 1;
    const principal = { subject: `person-${people}` };
    const refused = new Set<string>();
    const served: string[] = [];
    refusedFor.set(principal.subject, refused);
    servedFor.set(principal.subject, served);
    const refreshTokens = new Map<Provider, string>();
    async function connect(provider: Provider): Promise<void> {
      const { tokenResponse: tokens } = await issuer.seedGrant({
        ...principal,
        resources: [indicator],
        scopes: ['read', 'write'],
      });
      const replace = refreshTokens.has(provider);
      refreshTokens.set(provider, tokens.refresh_token);
      await outlive.grants.import({ provider, principal, tokens, replace });
    }
    await connect('acme');
    await connect('globex');
    const needs = {
      acme: { resource: mail, scopes: ['read', 'write'], effect: 'irreversible' },
      globex: { resource: files, scopes: ['read'], effect: 'read' },
    } as const;
    const startTask = (): Promise<Task> =>
      outlive.startTask({
        principal,
        agent: 'the agent',
        requirements: Object.values(needs),
        expectedDurationMs: 60_000,
      });
    const task = await startTask();
    const report = (state: 'active' | 'paused'): Promise<void> =>
      outlive.reportUserState(principal, { state, source: 'directory' });
    return {
      task,
      outlive,
      elsewhere,
      refused,
      served: () => served,
      startTask,
      suspend: () => report('paused'),
      reinstate: () => report('active'),
      async disconnect(provider) {
        const token = refreshTokens.get(provider) ?? '';
        await fetch(`${issuer.url}/token/revocation`, {
          method: 'POST',
          headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
          body: new URLSearchParams({ token }),
        });
        const { generation } = await task.getAccessToken(needs[provider]);
        const refused = await task
          .getAccessToken(needs[provider], { rejectedGeneration: generation })
          .catch((error: unknown) => error);
        if (!AuthError.is(refused)) throw new Error('expected the grant to be dead');
      },
      reconnect: connect,
      async agree({ pauseId }) {
        // Somebody else: a person who was stopped does not decide about it.
        const request = { decision: 'resume', by: 'a colleague' } as const;
        const { status } = await outlive.decide(pauseId, request);
        if (status !== 'decided') throw new Error(`expected a decision, it is ${status}`);
      },
    };
  }

  return {
    startStory,
    breakStore() {
      broken = true;
    },
    repairStore() {
      broken = false;
    },
    tokens: api.tokens,
    async [Symbol.asyncDispose]() {
      await Promise.all([outlive.close(), elsewhere.close(), api.close(), issuer.close()]);
    },
  };
}

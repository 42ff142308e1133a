import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { DecisionResult, GrantSummary, Outlive, Task } from '@outlive/core';
import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '@outlive/testing';
import { onTestFinished } from 'vitest';
import { createAgentRuntime } from './agent-runtime.ts';
import { type AgentSetup, principal, readItems, sendPayment } from './agent-setup.ts';
import { openStore, type StorePlace } from './shared-store.ts';
import { type Agent, startAgent } from './start-agent.ts';
import { startStore } from './store-place.ts';

/** What the processes of a test share: an issuer, an API, a file; and a runtime for the people around them. */
export interface World {
  readonly issuer: TestIssuer;
  readonly api: ProtectedApi;
  readonly setup: AgentSetup;
  readonly outlive: Outlive;
  /** The one grant of the test, as the issuer names it. */
  readonly grantId: string;
  /** Bodies of the payments that the API has made. */
  readonly payments: readonly string[];
  /** Called when a payment has been made, before it is answered. */
  onPayment: () => Promise<void>;
  startTask(expectedDurationMs?: number): Promise<Task>;
  startAgents(count: number, setup?: Partial<AgentSetup>): Promise<Agent[]>;
  startAgent(setup?: Partial<AgentSetup>): Promise<Agent>;
  grant(): Promise<GrantSummary | undefined>;
  /** The user's word, then an admin's, until the pause is decided. */
  approve(pauseId: string, rerun?: readonly string[]): Promise<DecisionResult['status']>;
  /** How often each refresh token came to the issuer: the first one first. */
  presentations(): readonly number[];
}

/** Options of {@link createWorld}. */
export interface WorldOptions
  extends Pick<AgentSetup, 'profile' | 'policy' | 'delegation' | 'dpop'> {
  /** Default SQLite. */
  readonly store?: StorePlace['kind'];
  /** Default one minute: nothing expires by itself. */
  readonly accessTokenLifetimeMs?: number;
}

/** Makes a world with one grant, whose first access token has expired. It ends with the running test. */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const { accessTokenLifetimeMs = 60_000, profile, policy, delegation, dpop } = options;
  const server = await startStore(options.store ?? 'sqlite');
  const { place, folder } = server;
  const issuer = await createTestIssuer({ accessTokenLifetimeMs });
  const payments: string[] = [];
  const api = await createProtectedApi({
    issuer,
    routes: {
      'GET /items': { scopes: ['read'], handle: () => Response.json([]) },
      'POST /payments': {
        scopes: ['write'],
        async handle(request) {
          payments.push(await request.text());
          await world.onPayment();
          return Response.json({ paid: true });
        },
      },
    },
  });
  const setup: AgentSetup = {
    issuerUrl: issuer.url,
    apiUrl: api.url,
    storePath: join(folder, 'store.db'),
    ...(place.kind === 'sqlite' ? {} : { place }),
    keys: { current: 'first', ring: { first: randomBytes(32) }, hash: randomBytes(32) },
    ...(profile === undefined ? {} : { profile }),
    ...(policy === undefined ? {} : { policy }),
    ...(delegation === undefined ? {} : { delegation }),
    ...(dpop === undefined ? {} : { dpop }),
  };
  const store = openStore(place);
  const outlive = createAgentRuntime(setup, { store });
  onTestFinished(async () => {
    await outlive.close();
    await store.close();
    await api.close();
    await issuer.close();
    await server[Symbol.asyncDispose]();
  });

  const { grantId, tokenResponse } = await issuer.seedGrant({ subject: principal.subject });
  const longAgo = Date.now() - 24 * 3_600_000;
  await outlive.grants.import({
    provider: 'issuer',
    principal,
    tokens: tokenResponse,
    issuedAt: longAgo,
  });

  const world: World = {
    issuer,
    api,
    setup,
    outlive,
    grantId,
    payments,
    onPayment: async () => undefined,
    startTask: (expectedDurationMs = 3_600_000) =>
      outlive.startTask({
        principal,
        agent: 'tester',
        requirements: [readItems, sendPayment],
        expectedDurationMs,
      }),
    startAgent: (changes = {}) => startAgent({ ...setup, ...changes }),
    startAgents: (count, changes = {}) =>
      Promise.all(Array.from({ length: count }, () => startAgent({ ...setup, ...changes }))),
    grant: () => outlive.grants.find({ provider: 'issuer', principal }),
    async approve(pauseId, rerun) {
      const word = { decision: 'resume', ...(rerun === undefined ? {} : { rerun }) } as const;
      const { status } = await outlive.decide(pauseId, { ...word, by: 'alice' });
      if (status !== 'waiting') return status;
      return (await outlive.decide(pauseId, { ...word, by: 'root' })).status;
    },
    presentations: () => issuer.presentations(grantId).map(({ times }) => times),
  };
  return world;
}

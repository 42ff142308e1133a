import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type AuditEntry,
  AuthError,
  type ChainVerification,
  type IssuerProfile,
  type Outlive,
  type Task,
} from '@outlive/core';
import { fileJournal } from '@outlive/core/node';
import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '@outlive/testing';
import { createAgentRuntime } from '../multi-process/agent-runtime.ts';
import { readItems, sendPayment } from '../multi-process/agent-setup.ts';
import { openStore } from '../multi-process/shared-store.ts';
import { shiftableClock } from '../multi-process/shiftable-clock.ts';
import type { StoreServer } from '../multi-process/store-place.ts';
import { type ChaosSetup, directoryGate, type GrantWrite } from './chaos-setup.ts';
import { reportingStore } from './reporting-store.ts';

/** Issuers of the run: one forgives a second presentation for a minute, the other ends the session. */
export const chaosIssuers = ['leeway', 'strict'] as const;
export type ChaosIssuer = (typeof chaosIssuers)[number];

const leewayMs = 60_000;
const dayMs = 86_400_000;
/** Long enough for a process to be killed while it waits for an answer. */
const apiLatencyMs = 20;

const profiles: Readonly<Record<ChaosIssuer, Partial<IssuerProfile>>> = {
  leeway: { rotation: 'leeway', leewayMs },
  strict: { probe: true },
};

/** Others recover after 3.5 s: many workers live for longer. */
export const chaosTimes = { requestTimeoutMs: 2500, settleMs: 1000 };

/** What the workers share, and who looks at it when they are gone. */
export interface ChaosWorld extends AsyncDisposable {
  readonly issuer: TestIssuer;
  /** What the tools of the tasks call. */
  readonly api: ProtectedApi;
  /** The runtime of the people around the tasks. */
  readonly outlive: Outlive;
  readonly setup: ChaosSetup;
  readonly grants: readonly ChaosGrant[];
  /** What the test itself has written to grants. */
  readonly writes: readonly GrantWrite[];
  /** A stream of the audit log, oldest entry first. */
  entries(stream: string): Promise<AuditEntry[]>;
  /** What does not stand in the audit log as it was written. */
  damages(): Promise<readonly ChainVerification[]>;
}

/** One grant of the run, and the task that uses it. */
export interface ChaosGrant {
  readonly subject: string;
  readonly taskId: string;
  /** What names the grant in the audit log. */
  readonly name: string;
  /** Key of its record. */
  readonly key: string;
  /** Its name at the issuer. */
  readonly issuerGrantId: string;
  /** Whether it still brings a token that nobody has yet. */
  isAlive(): Promise<boolean>;
}

/** Makes an issuer with tokens of 3 s, and `count` grants with a task each. */
export async function createChaosWorld(
  server: StoreServer,
  options: { readonly issuer: ChaosIssuer; readonly grants: number; readonly seed: number },
): Promise<ChaosWorld> {
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs: 3000,
    latencyMs: 60,
    reuse: options.issuer === 'leeway' ? { leewayMs } : 'strict',
  });
  const answer = async (): Promise<Response> => {
    await wait(apiLatencyMs);
    return Response.json({});
  };
  const api = await createProtectedApi({
    issuer,
    routes: {
      'GET /items': { scopes: ['read'], handle: answer },
      'POST /payments': { scopes: ['write'], handle: answer },
    },
  });
  const shared = {
    issuerUrl: issuer.url,
    apiUrl: api.url,
    keys: { current: 'first', ring: { first: randomBytes(32) }, hash: randomBytes(32) },
    profile: profiles[options.issuer],
    policy: { ...chaosTimes, maxWaitMs: 30_000, gateCacheMs: 500 },
  };
  const journalFolder = join(server.folder, 'journal');
  const writes: GrantWrite[] = [];
  const store = reportingStore(openStore(server.place), (write) => writes.push(write));
  const outlive = createAgentRuntime(shared, { store, gate: directoryGate(shared) });
  // Everything has expired to this one. Its own clock must not end the tasks of the others.
  const later = createAgentRuntime(
    { ...shared, policy: { ...shared.policy, maintainMs: 0, maxWaitMs: 120_000 } },
    {
      store,
      clock: shiftableClock(dayMs),
      // The workers' host: on another one it would wait for their journals.
      journal: fileJournal({ directory: journalFolder, keys: shared.keys }),
    },
  );

  const grants: ChaosGrant[] = await Promise.all(
    Array.from({ length: options.grants }, async (_, number) => {
      const principal = { subject: `user-${number}` };
      const { grantId, tokenResponse } = await issuer.seedGrant(principal);
      const reference = { provider: 'issuer', principal };
      await outlive.grants.import({ ...reference, tokens: tokenResponse });
      const startTask = (runtime: typeof outlive): Promise<Task> =>
        runtime.startTask({
          principal,
          agent: 'tester',
          requirements: [readItems, sendPayment],
          expectedDurationMs: 3_600_000,
        });
      const key = await outlive.grants.key(reference);
      const name = await outlive.grants.auditName(key);
      const { id: taskId } = await startTask(outlive);
      return {
        ...principal,
        taskId,
        name,
        key,
        issuerGrantId: grantId,
        async isAlive() {
          try {
            await (await startTask(later)).getAccessToken(readItems);
            return true;
          } catch (error) {
            if (AuthError.is(error) && error.code === 'reauthorization_required') return false;
            throw error;
          }
        },
      };
    }),
  );

  return {
    issuer,
    api,
    outlive,
    setup: {
      ...shared,
      place: server.place,
      seed: options.seed,
      taskIds: grants.map(({ taskId }) => taskId),
      journalFolder,
    },
    grants,
    writes,
    async entries(stream) {
      const entries: AuditEntry[] = [];
      // What core writes into an audit stream is the JSON of an entry.
      for await (const { value } of store.read(stream, 1)) entries.push(JSON.parse(value));
      return entries;
    },
    async damages() {
      // Each of the two writes out what it has recorded first.
      const verified = await Promise.all(
        [outlive, later].flatMap((runtime) => grants.map(({ taskId }) => runtime.verify(taskId))),
      );
      return verified.filter(({ ok }) => !ok);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([outlive.close(), later.close()]);
      await store.close();
      await Promise.all([api.close(), issuer.close()]);
    },
  };
}

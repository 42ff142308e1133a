import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type AuditEntry, AuthError, type IssuerProfile, type Task } from '@outlive/core';
import { fileJournal } from '@outlive/core/node';
import { createTestIssuer, type TestIssuer } from '@outlive/testing';
import { createAgentRuntime } from '../multi-process/agent-runtime.ts';
import { readItems } from '../multi-process/agent-setup.ts';
import { openStore } from '../multi-process/shared-store.ts';
import { shiftableClock } from '../multi-process/shiftable-clock.ts';
import type { StoreServer } from '../multi-process/store-place.ts';
import type { ChaosSetup, GrantWrite } from './chaos-setup.ts';
import { reportingStore } from './reporting-store.ts';

/** Issuers of the run: one forgives a second presentation for a minute, the other ends the session. */
export const chaosIssuers = ['leeway', 'strict'] as const;
export type ChaosIssuer = (typeof chaosIssuers)[number];

const leewayMs = 60_000;
const dayMs = 86_400_000;

const profiles: Readonly<Record<ChaosIssuer, Partial<IssuerProfile>>> = {
  leeway: { rotation: 'leeway', leewayMs },
  strict: { probe: true },
};

/** Others recover after 3.5 s: many workers live for longer. */
export const chaosTimes = { requestTimeoutMs: 2500, settleMs: 1000 };

/** What the workers share, and who looks at it when they are gone. */
export interface ChaosWorld extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly setup: ChaosSetup;
  readonly grants: readonly ChaosGrant[];
  /** What the test itself has written to grants. */
  readonly writes: readonly GrantWrite[];
}

/** One grant of the run. */
export interface ChaosGrant {
  /** Key of its record. */
  readonly key: string;
  /** Its name at the issuer. */
  readonly issuerGrantId: string;
  /** Whether it still brings a token that nobody has yet. */
  isAlive(): Promise<boolean>;
  audit(): Promise<AuditEntry[]>;
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
  const shared = {
    issuerUrl: issuer.url,
    apiUrl: issuer.url,
    keys: { current: 'first', ring: { first: randomBytes(32) }, hash: randomBytes(32) },
    profile: profiles[options.issuer],
    policy: { ...chaosTimes, maxWaitMs: 30_000 },
  };
  const journalFolder = join(server.folder, 'journal');
  const writes: GrantWrite[] = [];
  const store = reportingStore(openStore(server.place), (write) => writes.push(write));
  const outlive = createAgentRuntime(shared, { store });
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

  const made = await Promise.all(
    Array.from({ length: options.grants }, async (_, number) => {
      const principal = { subject: `user-${number}` };
      const { grantId, tokenResponse } = await issuer.seedGrant(principal);
      const reference = { provider: 'issuer', principal };
      await outlive.grants.import({ ...reference, tokens: tokenResponse });
      const startTask = (runtime: typeof outlive): Promise<Task> =>
        runtime.startTask({
          principal,
          agent: 'tester',
          requirements: [readItems],
          expectedDurationMs: 3_600_000,
        });
      const key = await outlive.grants.key(reference);
      const stream = `grant:${await outlive.grants.auditName(key)}`;
      const { id: taskId } = await startTask(outlive);
      const grant: ChaosGrant = {
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
        async audit() {
          const entries: AuditEntry[] = [];
          // What core writes into an audit stream is the JSON of an entry.
          for await (const { value } of store.read(stream, 1)) entries.push(JSON.parse(value));
          return entries;
        },
      };
      return { taskId, grant };
    }),
  );

  return {
    issuer,
    setup: {
      ...shared,
      place: server.place,
      seed: options.seed,
      taskIds: made.map(({ taskId }) => taskId),
      journalFolder,
    },
    grants: made.map(({ grant }) => grant),
    writes,
    async [Symbol.asyncDispose]() {
      await Promise.all([outlive.close(), later.close()]);
      await store.close();
      await issuer.close();
    },
  };
}

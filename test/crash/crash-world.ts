import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Outlive, Task } from '@outlive/core';
import { createTestIssuer, type TestIssuer } from '@outlive/testing';
import { openStore } from '../multi-process/shared-store.ts';
import { shiftableClock } from '../multi-process/shiftable-clock.ts';
import type { StoreServer } from '../multi-process/store-place.ts';
import {
  type CrashIssuer,
  type CrashProfile,
  crashIssuers,
  crashProfiles,
} from './crash-profiles.ts';
import { askForToken, createCrashRuntime, requirementOf } from './crash-runtime.ts';
import type { CrashSetup, TokenReceived } from './crash-setup.ts';

/** A grant under test: one for each profile. */
export interface CrashGrant {
  readonly profile: CrashProfile;
  readonly taskId: string;
  /** How often each of its refresh tokens came to the issuer, the first one first. */
  presentations(): readonly number[];
}

/** What the processes of one crash share. */
export interface CrashWorld extends AsyncDisposable {
  readonly setup: CrashSetup;
  readonly issuers: readonly TestIssuer[];
  readonly grants: readonly CrashGrant[];
  /** A folder for the journal of one host. */
  journalFolder(host: 'here' | 'elsewhere'): string;
  /** Whether the grant as it is now can still be refreshed: asks for a token that nobody has yet. */
  refreshAnew(grant: CrashGrant): Promise<TokenReceived>;
}

const dayMs = 86_400_000;
const principal = { subject: 'alice' };

/** Makes issuers, and a grant for each profile whose access token has expired. */
export async function createCrashWorld(server: StoreServer): Promise<CrashWorld> {
  const names = Object.keys(crashIssuers) as CrashIssuer[];
  const started = await Promise.all(
    names.map(async (name) => {
      // Long, for a token that was refreshed must not need it again before somebody has looked.
      const options = { accessTokenLifetimeMs: 3_600_000, ...crashIssuers[name] };
      return [name, await createTestIssuer(options)] as const;
    }),
  );
  const issuers = Object.fromEntries(started) as Record<CrashIssuer, TestIssuer>;
  // A crash of its own tenant: all crashes of a run share the store.
  const tenant = randomUUID();
  const setup: CrashSetup = {
    issuerUrls: Object.fromEntries(started.map(([name, { url }]) => [name, url])) as Record<
      CrashIssuer,
      string
    >,
    place: server.place,
    keys: keysOf(server),
  };
  const store = openStore(server.place);
  const outlive = createCrashRuntime(setup, { store });
  // Everything has expired to this one: what it is given was refreshed for it.
  const later = createCrashRuntime(setup, {
    store,
    clock: shiftableClock(dayMs),
    maintains: false,
  });

  const grants = await Promise.all(
    crashProfiles.map(async (profile): Promise<CrashGrant> => {
      const issuer = issuers[profile.issuer];
      const { grantId, tokenResponse } = await issuer.seedGrant({ subject: principal.subject });
      await outlive.grants.import({
        provider: profile.name,
        principal: { ...principal, tenant },
        tokens: tokenResponse,
        issuedAt: Date.now() - dayMs,
      });
      return {
        profile,
        taskId: (await startTask(outlive, profile.name, tenant)).id,
        presentations: () => issuer.presentations(grantId).map(({ times }) => times),
      };
    }),
  );

  return {
    setup,
    issuers: started.map(([, issuer]) => issuer),
    grants,
    journalFolder: (host) => join(server.folder, `${tenant}-${host}`),
    async refreshAnew({ profile }) {
      return askForToken(() => startTask(later, profile.name, tenant), profile.name);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([outlive.close(), later.close()]);
      await store.close();
      await Promise.all(started.map(([, issuer]) => issuer.close()));
    },
  };
}

function startTask(outlive: Outlive, provider: string, tenant: string): Promise<Task> {
  return outlive.startTask({
    principal: { ...principal, tenant },
    agent: 'tester',
    requirements: [requirementOf(provider)],
    expectedDurationMs: 3_600_000,
  });
}

const keys = new WeakMap<StoreServer, CrashSetup['keys']>();

/** The keys of a store are the same for everybody who uses it. */
function keysOf(server: StoreServer): CrashSetup['keys'] {
  const known = keys.get(server);
  if (known !== undefined) return known;
  const made = { current: 'first', ring: { first: randomBytes(32) }, hash: randomBytes(32) };
  keys.set(server, made);
  return made;
}

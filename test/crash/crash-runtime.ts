import {
  AuthError,
  type Clock,
  createOutlive,
  type Outlive,
  type Store,
  type Task,
} from '@outlive/core';
import { fileJournal } from '@outlive/core/node';
import { crashProfiles } from './crash-profiles.ts';
import type { CrashSetup, TokenReceived } from './crash-setup.ts';

/** Others recover after 6 s. Long enough for a busy machine: a time-out would be another failure than the one meant. */
const policy = {
  requestTimeoutMs: 3000,
  settleMs: 3000,
  sendByMs: 2500,
  journalGraceMs: 1000,
  maxWaitMs: 120_000,
};

/** What a process brings of its own. */
export interface CrashParts {
  readonly store: Store;
  readonly clock?: Clock;
  /** What requests to the issuers go through. */
  readonly fetch?: typeof globalThis.fetch;
  /** Whether it does background work. One with a wrong clock would end tasks of the others. Default true. */
  readonly maintains?: boolean;
}

/** A runtime with a provider for every profile, and a resource of the same name. */
export function createCrashRuntime(setup: CrashSetup, parts: CrashParts): Outlive {
  const { store, clock, fetch, maintains = true } = parts;
  const { journalFolder, keys } = setup;
  return createOutlive({
    store,
    keys,
    ...(clock === undefined ? {} : { clock }),
    ...(journalFolder === undefined
      ? {}
      : { journal: fileJournal({ directory: journalFolder, keys }) }),
    providers: Object.fromEntries(
      crashProfiles.map(({ name, issuer, profile }) => [
        name,
        {
          issuer: setup.issuerUrls[issuer],
          clientId: 'agent',
          clientSecret: 'agent-secret',
          profile,
          ...(fetch === undefined ? {} : { fetch }),
        },
      ]),
    ),
    resources: Object.fromEntries(
      crashProfiles.map(({ name, issuer }) => [
        name,
        { provider: name, baseUrl: setup.issuerUrls[issuer], scopes: ['read'] },
      ]),
    ),
    gate: () => 'active',
    policy: { ...policy, ...(maintains ? {} : { maintainMs: 0 }) },
  });
}

/** Asks for a token of a task, as a tool's first request would. */
export async function askForToken(
  task: () => Promise<Task | undefined>,
  provider: string,
): Promise<TokenReceived> {
  try {
    const found = await task();
    if (found === undefined) throw new Error('the task is not in this store');
    const { generation } = await found.getAccessToken(requirementOf(provider));
    return { status: 'served', generation };
  } catch (error) {
    if (AuthError.is(error)) return { status: 'refused', code: error.code, reason: error.reason };
    throw error;
  }
}

/** What tasks of the matrix need. */
export function requirementOf(provider: string): {
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly effect: 'read';
} {
  return { resource: provider, scopes: ['read'], effect: 'read' };
}

import {
  type AuditEvent,
  alwaysActive,
  createOutlive,
  memoryStore,
  type Outlive,
  type Requirement,
  type Store,
  type Task,
} from '@outlive/core';
import type { SeededTokens } from './issuer-process.ts';
import { benchKeys } from './keys.ts';

/** A task as an app has it, with a grant that was imported. */
export interface BenchTask extends AsyncDisposable {
  readonly outlive: Outlive;
  readonly task: Task;
  readonly read: Requirement;
  readonly write: Requirement;
}

/** What a benchmark may want otherwise. */
export interface BenchTaskOptions {
  readonly store?: Store;
  /** Default: {@link idleIssuer}. */
  readonly issuer?: string;
  readonly baseUrl?: string;
  /** Default: {@link freshTokens}. With `imported`, another process has imported the grant. */
  readonly tokens?: SeededTokens | 'imported';
  /** What token requests go through. */
  readonly issuerFetch?: typeof globalThis.fetch;
  /** Hears of every event once it is in the audit log. */
  readonly audited?: (event: AuditEvent) => void;
}

const hourSeconds = 3600;

/** The tokens of grants that are not refreshed, of a usual length. */
export const freshTokens: SeededTokens = {
  access_token: 'a'.repeat(43),
  refresh_token: 'r'.repeat(43),
  token_type: 'Bearer',
  expires_in: hourSeconds,
};

/** The issuer of grants that are not refreshed: nobody is there. */
export const idleIssuer = 'http://127.0.0.1:9';

/** Starts a task with the runtime's defaults: sealed records, a gate, the stop feed, the audit log. */
export async function startBenchTask(options: BenchTaskOptions = {}): Promise<BenchTask> {
  const { store = memoryStore(), issuer = idleIssuer, tokens = freshTokens } = options;
  const { baseUrl = 'http://127.0.0.1:9/', issuerFetch, audited } = options;
  const outlive = createOutlive({
    store,
    keys: benchKeys,
    providers: {
      issuer: {
        issuer,
        clientId: 'basic',
        clientSecret: 'secret',
        ...(issuerFetch === undefined ? {} : { fetch: issuerFetch }),
      },
    },
    resources: { billing: { provider: 'issuer', baseUrl, scopes: ['read', 'write'] } },
    gate: alwaysActive,
    ...(audited === undefined ? {} : { audit: { sinks: [{ name: 'bench', write: audited }] } }),
  });
  const principal = { subject: 'alice' };
  if (tokens !== 'imported') await outlive.grants.import({ provider: 'issuer', principal, tokens });
  const { billing } = outlive.resources;
  const read: Requirement = { resource: billing, scopes: ['read'], effect: 'read' };
  const write: Requirement = { resource: billing, scopes: ['write'], effect: 'reversible' };
  const task = await outlive.startTask({
    principal,
    agent: 'bench',
    requirements: [read, write],
    expectedDurationMs: hourSeconds * 1000,
  });
  return {
    outlive,
    task,
    read,
    write,
    async [Symbol.asyncDispose]() {
      await outlive.close();
      await store.close();
    },
  };
}

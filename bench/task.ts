import {
  alwaysActive,
  createOutlive,
  type ImportedTokens,
  type KeysConfiguration,
  memoryStore,
  type Requirement,
  type Store,
  type Task,
} from '@outlive/core';

/** A task as an app has it, with a grant that was imported. */
export interface BenchTask extends AsyncDisposable {
  readonly task: Task;
  readonly read: Requirement;
  readonly write: Requirement;
}

/** What a benchmark may want otherwise. */
export interface BenchTaskOptions {
  readonly store?: Store;
  /** Issuer URL; nobody is there unless the benchmark refreshes. */
  readonly issuer?: string;
  readonly baseUrl?: string;
  /** Default: tokens of one hour. */
  readonly tokens?: ImportedTokens;
  /** What token requests go through. */
  readonly issuerFetch?: typeof globalThis.fetch;
}

/** The access token of grants that are not refreshed. Of a usual length. */
export const accessToken: string = 'a'.repeat(43);

const hourSeconds = 3600;
const keys: KeysConfiguration = {
  current: 'bench',
  ring: { bench: new Uint8Array(32).fill(1) },
  hash: new Uint8Array(32).fill(2),
};

/** Starts a task with the runtime's defaults: sealed records, a gate, the stop feed, the audit log. */
export async function startBenchTask(options: BenchTaskOptions = {}): Promise<BenchTask> {
  const { store = memoryStore(), baseUrl = 'http://127.0.0.1:9/', issuerFetch } = options;
  const outlive = createOutlive({
    store,
    keys,
    providers: {
      issuer: {
        issuer: options.issuer ?? 'http://127.0.0.1:9',
        clientId: 'basic',
        clientSecret: 'secret',
        ...(issuerFetch === undefined ? {} : { fetch: issuerFetch }),
      },
    },
    resources: { billing: { provider: 'issuer', baseUrl, scopes: ['read', 'write'] } },
    gate: alwaysActive,
  });
  const principal = { subject: 'alice' };
  await outlive.grants.import({
    provider: 'issuer',
    principal,
    tokens: options.tokens ?? {
      access_token: accessToken,
      refresh_token: 'r'.repeat(43),
      token_type: 'Bearer',
      expires_in: hourSeconds,
    },
  });
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
    task,
    read,
    write,
    async [Symbol.asyncDispose]() {
      await outlive.close();
      await store.close();
    },
  };
}

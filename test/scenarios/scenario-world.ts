import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEntry, Outlive, PrincipalHandle, Task } from '@outlive/core';
import {
  type ApiRoute,
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
} from '@outlive/testing';
import { type ShiftableClock, shiftableClock } from '../multi-process/shiftable-clock.ts';
import type { NeutralTool } from './adapter-under-test.ts';
import { createTools, requirements } from './billing-tools.ts';
import { approve, openRuntime, type RuntimeSetup, scopes } from './scenario-runtime.ts';

/** The person for whom all tasks act. */
export const principal = { subject: 'alice' } as const;

/** What happens when a tool starts or ends, or when the API is asked; scenarios assign what they need. */
export interface Moments {
  toolStarted: (call: string) => void | Promise<void>;
  toolEnded: (call: string) => unknown;
  apiAsked: (path: string) => void | Promise<void>;
}

/** What a scenario happens in: a real issuer, a protected API, a sealed SQLite file, and a process of the app. */
export interface ScenarioWorld extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly api: ProtectedApi;
  readonly setup: RuntimeSetup;
  readonly outlive: Outlive;
  /** A second runtime on the same file. */
  readonly secondOutlive: Outlive;
  readonly clock: ShiftableClock;
  readonly moments: Moments;
  /** Tools of this process. What they run is in `executed`. */
  readonly tools: readonly NeutralTool[];
  /** The calls that tools of this process ran, as `tool:id`, in their order. */
  readonly executed: readonly string[];
  /** The principals that tools of this process were given. */
  readonly handles: readonly PrincipalHandle[];
  /** What the audit log of this process was written with. */
  readonly audited: readonly AuditEntry[];
  startTask(): Promise<Task>;
  /** How many requests to `path` the API has served. */
  served(path: string): number;
  /** The person connects the account anew, with these scopes. */
  reconnect(scopes: readonly string[]): Promise<void>;
  /** The person disconnects the account at the issuer (RFC 7009): every token of the grant is dead. */
  disconnect(): Promise<void>;
  /** Whoever is asked agrees, until the pause is decided. */
  approve(pauseId: string): Promise<void>;
  /** Everything in the folder of the store. */
  storedBytes(): readonly Buffer[];
}

/** What a grant has before the API wants more. */
export const firstScopes: readonly string[] = ['billing.see', 'billing.note'];

/** Makes a world in which the account is connected; dispose it after the scenario. The API may have more routes. */
export async function createScenarioWorld(
  routes: Readonly<Record<string, ApiRoute>> = {},
): Promise<ScenarioWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-scenarios-'));
  const issuer = await createTestIssuer({
    accessTokenLifetimeMs: 600_000,
    resources: { 'https://billing.example/': { scopes } },
  });
  const moments: Moments = {
    toolStarted: () => undefined,
    toolEnded: () => undefined,
    apiAsked: () => undefined,
  };
  const route = (...needed: readonly string[]): ApiRoute => ({
    scopes: needed,
    async handle(request) {
      const { pathname } = new URL(request.url);
      await moments.apiAsked(pathname);
      return new Response(`done ${pathname}`);
    },
  });
  const api = await createProtectedApi({
    issuer,
    routes: {
      'GET /invoices': route('billing.see'),
      'POST /notes': route('billing.note'),
      'POST /payments': route('billing.pay'),
      ...routes,
    },
  });
  const setup: RuntimeSetup = {
    issuerUrl: issuer.url,
    apiUrl: api.url,
    storePath: join(folder, 'store.db'),
    keys: { sealing: randomBytes(32).toString('base64'), hash: randomBytes(32).toString('base64') },
  };
  const clock = shiftableClock(0);
  const audited: AuditEntry[] = [];
  const sinks = [{ name: 'scenario', write: (entry: AuditEntry) => void audited.push(entry) }];
  const first = openRuntime(setup, { clock, sinks });
  const second = openRuntime(setup, { clock });
  const { outlive } = first;
  const executed: string[] = [];
  const handles: PrincipalHandle[] = [];
  let refreshToken = '';

  async function connect(granted: readonly string[], replace: boolean): Promise<void> {
    const { tokenResponse: tokens } = await issuer.seedGrant({ ...principal, scopes: granted });
    refreshToken = tokens.refresh_token;
    await outlive.grants.import({ provider: 'acme', principal, tokens, replace });
  }
  await connect(firstScopes, false);

  return {
    issuer,
    api,
    setup,
    outlive,
    secondOutlive: second.outlive,
    clock,
    moments,
    executed,
    handles,
    audited,
    tools: createTools({
      async started(call, handle) {
        executed.push(call);
        if (handle !== undefined) handles.push(handle);
        await moments.toolStarted(call);
      },
      ended: (call) => moments.toolEnded(call),
    }),
    startTask: () =>
      outlive.startTask({
        principal,
        agent: 'bookkeeper',
        requirements,
        expectedDurationMs: 60_000,
      }),
    served: (path) => api.accepted.filter((request) => request.path === path).length,
    reconnect: (granted) => connect(granted, true),
    async disconnect() {
      const response = await fetch(`${issuer.url}/token/revocation`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
        body: new URLSearchParams({ token: refreshToken }),
      });
      if (!response.ok) throw new Error(`the issuer did not revoke: ${response.status}`);
    },
    approve: (pauseId) => approve(outlive, pauseId),
    storedBytes: () => readdirSync(folder).map((name) => readFileSync(join(folder, name))),
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
      await api.close();
      await issuer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

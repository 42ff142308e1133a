import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProtectedApi, createTestIssuer, type TestIssuer } from '@outlive/testing';
import { type BenchStore, type StoreName, stores } from '../stores.ts';
import { type Arena, basicClient, postClient } from './contestant.ts';
import type { Entry } from './entries.ts';
import { startMcpServer } from './mcp-server.ts';

/** How long access tokens live, ms. */
export const lifetimeMs = 8000;

/** The servers of the race, all on this machine. */
export interface RunningArena extends AsyncDisposable {
  readonly issuer: TestIssuer;
  /** What its processes are told. */
  readonly told: Arena;
  /** A folder for token files; gone at the end. */
  readonly folder: string;
}

/** Starts an issuer that ends a session at the first reuse, an API, an MCP server, and the stores that are needed. */
export async function startArena(contestants: readonly Entry[]): Promise<RunningArena> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'outlive-race-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const issuer = stack.use(
    await createTestIssuer({
      accessTokenLifetimeMs: lifetimeMs,
      reuse: 'strict',
      clients: [basicClient, { ...postClient, authentication: 'client_secret_post' }],
    }),
  );
  const mcp = stack.use(await startMcpServer(issuer));
  issuer.options.resources = { [mcp.url]: { scopes: ['read'] } };
  const api = stack.use(
    await createProtectedApi({
      issuer,
      routes: { 'GET /items': { scopes: ['read'], handle: () => Response.json([]) } },
    }),
  );
  const places: Partial<Record<StoreName, string>> = {};
  for (const name of new Set(contestants.flatMap(({ needs }) => needs))) {
    const store: BenchStore = stores[name];
    places[name] = stack.use(await store.start(folder)).place;
  }
  const running = stack.move();
  return {
    issuer,
    folder,
    told: { issuer: issuer.url, apiUrl: `${api.url}/`, mcpUrl: mcp.url, places },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The client that a contestant's grants belong to. */
export function clientOf({ id }: Entry): string {
  const inBody = ['google-auth-library', 'badgateway', 'simple-oauth2', 'axios-auth-refresh'];
  return (inBody.includes(id) ? postClient : basicClient).clientId;
}

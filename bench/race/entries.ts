import type { StoreName } from '../stores.ts';
import type { Contestant } from './contestant.ts';

/** One line of the race: who runs, as what, and what it says of itself. */
export interface Entry {
  readonly id: string;
  readonly title: string;
  /** The package whose version is shown. */
  readonly package: string;
  /** What its documentation claims about several callers of one grant. */
  readonly claims: string;
  /** How it was set up, and what else is fair to know. */
  readonly setup: string;
  /** Most processes it can run in. */
  readonly processes: 'one' | 'many';
  /** Stores of the benchmark that it needs. */
  readonly needs: readonly StoreName[];
  readonly load: () => Promise<Contestant>;
}

const sharedFile = 'All processes share one JSON file, written in one step.';

const peers: readonly Entry[] = [
  {
    id: 'openid-client',
    title: 'openid-client, naive',
    package: 'openid-client',
    claims: 'Nothing: it sends the requests it is told to send.',
    setup: `Refreshes where the token is used. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/openid-client-naive.ts')).contestant,
  },
  {
    id: 'openid-client-mutex',
    title: 'openid-client + async-mutex',
    package: 'openid-client',
    claims: 'One process: async-mutex locks in memory.',
    setup: `Reads the file again under the mutex. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/openid-client-mutex.ts')).contestant,
  },
  {
    id: 'mcp-v1',
    title: 'MCP SDK v1',
    package: '@modelcontextprotocol/sdk',
    claims: 'Nothing on refreshes at the same time.',
    setup: `HTTP transport with an authProvider over the file. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/mcp-sdk-v1.ts')).contestant,
  },
  {
    id: 'mcp-v2',
    title: 'MCP client v2',
    package: '@modelcontextprotocol/client',
    claims: 'Nothing on refreshes at the same time.',
    setup: `HTTP transport with an authProvider over the file. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/mcp-client-v2.ts')).contestant,
  },
  {
    id: 'ai-sdk-mcp',
    title: '@ai-sdk/mcp',
    package: '@ai-sdk/mcp',
    claims:
      'One transport (one process): its calls share one authorization. Of shared storage it says that a delete has to compare first.',
    setup: `HTTP transport with an authProvider that compares before it deletes. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/ai-sdk-mcp.ts')).contestant,
  },
  {
    id: 'google-auth-library',
    title: 'google-auth-library',
    package: 'google-auth-library',
    claims: 'One client (one process): its calls share one refresh.',
    setup:
      'Made for Google, which does not rotate refresh tokens: it keeps the first one, so at an issuer that rotates the second refresh ends the session. Eager refresh off, since these tokens live shorter than it; the `tokens` event writes the file, which it has no hook to read again.',
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/google-auth-library.ts')).contestant,
  },
  {
    id: 'badgateway',
    title: '@badgateway/oauth2-client',
    package: '@badgateway/oauth2-client',
    claims: 'One OAuth2Fetch (one process): its calls share one refresh.',
    setup: `OAuth2Fetch with getStoredToken and storeToken; it reads the file once. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/badgateway.ts')).contestant,
  },
  {
    id: 'simple-oauth2',
    title: 'simple-oauth2',
    package: 'simple-oauth2',
    claims: 'Nothing: it refreshes when it is told to.',
    setup: `createToken, expired, refresh, store, as its README shows. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/simple-oauth2.ts')).contestant,
  },
  {
    id: 'axios-auth-refresh',
    title: 'axios-auth-refresh',
    package: 'axios-auth-refresh',
    claims: 'One axios instance (one process): one refresh at a time.',
    setup: `Both interceptors of its README, with the file for localStorage. It holds back requests that begin during a refresh; those under way, whose 401 comes then, fail. ${sharedFile}`,
    processes: 'many',
    needs: [],
    load: async () => (await import('./contestants/axios-auth-refresh.ts')).contestant,
  },
  {
    id: 'redis-lock',
    title: 'Redis lock, TTL 1 s, re-read',
    package: 'ioredis',
    claims: 'Many processes, as long as a refresh takes less than the lock lasts.',
    setup:
      'A mutex in the process, SET NX PX, read again under the lock, unlock by script. A longer TTL moves the limit and makes a crash cost as much; it does not remove it.',
    processes: 'many',
    needs: ['redis'],
    load: async () => (await import('./contestants/redis-lock.ts')).contestant,
  },
];

const outliveEntries: readonly Entry[] = [
  outlive('memory', 'One process.', 'one'),
  outlive('sqlite', 'All processes of one machine.', 'many'),
  outlive('redis', 'All processes that reach the server.', 'many'),
  outlive('postgres', 'All processes that reach the server.', 'many'),
];

/** Everyone who takes part, in the order of the tables. */
export const entries: readonly Entry[] = [...peers, ...outliveEntries];

function outlive(store: StoreName, claims: string, processes: Entry['processes']): Entry {
  return {
    id: `outlive-${store}`,
    title: `Outlive on ${store}`,
    package: '@outlive/core',
    claims,
    setup: 'Defaults; each process has a runtime and a task of its own for the person.',
    processes,
    needs: [store],
    load: async () => (await import('./contestants/outlive.ts')).outliveOn(store),
  };
}

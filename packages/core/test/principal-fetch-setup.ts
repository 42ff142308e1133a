import { beforeEach, expect } from 'vitest';
import { AuthError, RequestRefusedError } from '../src/errors.ts';
import { createPrincipalFetch } from '../src/principal-fetch.ts';
import { locateResource } from '../src/resource-location.ts';
import { type RecordingServer, startRecordingServer } from './recording-server.ts';
import { createScriptedAuthority, proofs, type ScriptedAuthority } from './scripted-authority.ts';

/** The resource's server, one that must never see a token, and the authority of the calls. New for each test. */
export interface TwoServers {
  api: RecordingServer;
  evil: RecordingServer;
  authority: ScriptedAuthority;
  /** The principal's fetch of a resource at `path` of the `api` server. */
  fetchTo(path: string, allowedOrigins?: readonly string[]): typeof globalThis.fetch;
}

/** Starts the servers before each test of the file, and stops them after it. */
export function useTwoServers(): TwoServers {
  const servers = {
    fetchTo(path: string, allowedOrigins: readonly string[] = []) {
      const baseUrl = servers.api.origin + path;
      const resource = locateResource({ name: 'billing', baseUrl, allowedOrigins });
      const { authority } = servers;
      return createPrincipalFetch({ resource, authority, proofs, fetch: globalThis.fetch });
    },
  } as TwoServers;
  beforeEach(async () => {
    servers.api = await startRecordingServer();
    servers.evil = await startRecordingServer();
    servers.authority = createScriptedAuthority();
    return async () => {
      await servers.api[Symbol.asyncDispose]();
      await servers.evil[Symbol.asyncDispose]();
    };
  });
  return servers;
}

/** What `promise` rejects with. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable('it was not rejected'),
    (reason: unknown) => reason,
  );
}

/** The code of the RequestRefusedError, after checking that it is no AuthError and holds no token. */
export async function refusalOf(response: Promise<Response>): Promise<string> {
  const error = await rejection(response);
  expect(error).toBeInstanceOf(RequestRefusedError);
  expect(AuthError.find(error)).toBeUndefined();
  expect(`${error} ${(error as Error).cause}`).not.toContain('canary');
  return (error as RequestRefusedError).code;
}

/** Expects that nothing was acquired, and that no server saw a request. */
export function expectNothingSent({ api, evil, authority }: TwoServers): void {
  expect(authority.log).toEqual([]);
  expect(api.requests).toEqual([]);
  expect(evil.requests).toEqual([]);
}

/** A URL object whose address changes between reads, as a check and a send would do them. */
export function changingUrl(first: string, then: string): URL {
  let reads = 0;
  const href = (): string => {
    reads += 1;
    return reads === 1 ? first : then;
  };
  return Object.defineProperties(new URL(first), {
    href: { get: href },
    toString: { value: href },
  });
}

/** A Request that says it goes to one place, and goes to another when it is handed on. */
export function lyingRequest(claimed: string, actual: string, init?: RequestInit): Request {
  return Object.defineProperty(new Request(actual, init), 'url', { value: claimed });
}

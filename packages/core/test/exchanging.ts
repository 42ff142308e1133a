import type { TestIssuerOptions } from '@outlive/testing';
import { expect, vi } from 'vitest';
import type { DelegationRecord } from '../src/delegation.ts';
import type { AccessTokenSlot, ProviderConfiguration, Task } from '../src/index.ts';
import { createRecords } from '../src/records.ts';
import { createSealer } from '../src/sealing.ts';
import {
  createLatch,
  createWorld,
  type Process,
  type ProcessOptions,
  reading,
  type World,
} from './world.ts';

/** How the provider of an exchanging app is configured, unless a test says otherwise. */
export const exchanging: Partial<ProviderConfiguration> = {
  delegation: 'tokenExchange',
  profile: { exchangedTokenGrant: 'own' },
};

export interface Exchange {
  readonly world: World;
  readonly process: Process;
  readonly grantId: string;
  /** A task that may read. */
  readonly task: Task;
}

/** A world whose tasks work with exchanged tokens, and one such task. */
export async function exchangingWorld(
  options: {
    readonly issuer?: TestIssuerOptions;
    readonly process?: ProcessOptions;
    readonly provider?: Partial<ProviderConfiguration>;
  } = {},
): Promise<Exchange> {
  const world = await createWorld({
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    process: { ...options.process, provider: { ...exchanging, ...options.provider } },
  });
  const resources = { api: apiOf(world) };
  const process = world.start({ resources });
  const grantId = await world.grant(process);
  const task = await world.task(process, { requirements: [reading] });
  return { world, process, grantId, task };
}

/** The API, as the issuer names it. */
export function apiOf(world: World) {
  return {
    provider: 'p',
    baseUrl: world.api.url,
    indicator: `${world.issuer.url}/api`,
    scopes: ['read', 'write', 'admin'],
  };
}

/** What the API learns of a token. */
export function factsOf(world: World, token: AccessTokenSlot) {
  return world.issuer.accessToken(token.accessToken.reveal());
}

/** Waits until `assertion` holds: a limit for what hangs, and not a measure. */
export function eventually(assertion: () => unknown): Promise<unknown> {
  return vi.waitFor(assertion, { timeout: 20_000 });
}

/** Requests to the token endpoint that wait until they are let go on. */
export interface HeldRequests extends Disposable {
  /** Resolves when one has come. */
  readonly arrived: Promise<void>;
  release(): void;
}

/** Holds back what comes to the token endpoint: only the first request, or all. */
export function heldRequests(world: World, which: 'first' | 'all' = 'all'): HeldRequests {
  const { opened, open } = createLatch();
  const arrived = createLatch();
  const plan = world.issuer.fault(({ number }) => {
    arrived.open();
    return which === 'first' && number > 1 ? undefined : opened.then(() => undefined);
  });
  return {
    arrived: arrived.opened,
    release: open,
    [Symbol.dispose]() {
      open();
      plan[Symbol.dispose]();
    },
  };
}

/** Longer than the issuer of a test takes for an answer on a busy machine. */
const answeredWithinMs = 3000;

/**
 * Lets time pass until somebody has recovered what `waiting` waits for. Its process must be patient, and tokens must
 * live for longer than a busy machine may take.
 */
export async function recovered<T>(world: World, waiting: Promise<T>): Promise<T> {
  const { counters } = world.issuer;
  let sent = counters.tokenRequests;
  let sentAt = 0;
  await eventually(async () => {
    if (counters.tokenRequests > sent) {
      sent = counters.tokenRequests;
      sentAt = performance.now();
    }
    // Time that passed while a request is answered would end the request.
    if (performance.now() - sentAt > answeredWithinMs) world.clock.skip(60_001);
    expect(await Promise.race([waiting, undefined])).toBeDefined();
  });
  return waiting;
}

/** The records of delegations in the store. */
export async function delegationsOf(world: World): Promise<DelegationRecord[]> {
  const records = createRecords({ store: world.store, sealer: createSealer(undefined) });
  const found: DelegationRecord[] = [];
  for await (const { key } of records.list({ kind: 'delegation' })) {
    const record = await records.get<DelegationRecord>(key);
    if (record !== undefined) found.push(record.value);
  }
  return found;
}

/** A fetch for the issuer whose revocations fail until `back` is called. */
export function revocationsFail() {
  let away = true;
  const fetch: typeof globalThis.fetch = (input, init) =>
    away && String(input).endsWith('/revocation')
      ? Promise.reject(new TypeError('fetch failed'))
      : globalThis.fetch(input, init);
  return {
    fetch,
    back() {
      away = false;
    },
  };
}

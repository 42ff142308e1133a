import {
  createProtectedApi,
  createTestIssuer,
  type ProtectedApi,
  type TestIssuer,
  type TestIssuerOptions,
} from '@outlive/testing';
import type { AuditEntry } from '../src/audit-chain.ts';
import type { PolicyConfiguration, ProviderConfiguration } from '../src/configuration.ts';
import type { GrantRecord } from '../src/grant-record.ts';
import {
  type Approver,
  type Authorizer,
  createOutlive,
  type ImportGrant,
  memoryStore,
  type Outlive,
  type OutliveOptions,
  type Requirement,
  type StartTask,
  type Store,
  type Task,
  type UserState,
} from '../src/index.ts';
import { createRecords } from '../src/records.ts';
import { createSealer } from '../src/sealing.ts';
import { type InterceptedStore, interceptedStore } from './intercepted-store.ts';
import { createSkippingClock, type SkippingClock } from './skipping-clock.ts';

export const alice = { subject: 'alice' };
export const reading: Requirement = { resource: 'api', scopes: ['read'], effect: 'read' };
export const writing: Requirement = { resource: 'api', scopes: ['write'], effect: 'reversible' };
export const deleting: Requirement = {
  resource: 'api',
  scopes: ['admin'],
  effect: 'irreversible',
};

/** Lifetime of access tokens in a world, ms. */
export const lifetimeMs = 600_000;
/** Past 80 % of the lifetime, before 95 %. */
export const untilDueMs = 500_000;
/** Past min(5 s, 5 %) before expiry. */
export const untilUnusableMs = 596_000;

const people: Readonly<Record<string, Approver>> = {
  alice: { id: 'alice', roles: ['user'] },
  bob: { id: 'bob', roles: ['user'] },
  root: { id: 'root', roles: ['admin'] },
  ada: { id: 'ada', roles: ['admin', 'user'] },
  ops: { id: 'ops', roles: ['operator'] },
  guest: { id: 'guest', roles: [] },
  agent: { id: 'agent', roles: ['user', 'admin'] },
};

/** What a user-state check hears of nobody. */
export const noEvents = {
  reported: async () => undefined,
  introspect: async () => 'none' as const,
  held: () => undefined,
  released: () => undefined,
  changed: () => undefined,
} as const;

/** The people of the world, as an app's sign-in would name them. */
export const authorizePeople: Authorizer = ({ by }) =>
  Object.hasOwn(people, by) ? people[by] : undefined;

/** One process of the app: a runtime and its own connection to the shared store. */
export interface Process {
  readonly outlive: Outlive;
  readonly store: InterceptedStore;
  /** From now on nothing it waits for comes back, as with a process that was killed. */
  kill(): void;
}

/** What a process may have other than the rest of its world. */
export interface ProcessOptions extends Partial<Omit<OutliveOptions, 'policy' | 'providers'>> {
  readonly provider?: Partial<ProviderConfiguration>;
  readonly policy?: PolicyConfiguration;
}

/** An issuer, an API, a store, and as many processes as a test starts. */
export interface World extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly api: ProtectedApi;
  readonly clock: SkippingClock;
  readonly store: Store;
  /** Everything audited by any process, in the order of writing. */
  readonly events: readonly AuditEntry[];
  /** What the gate says to whoever asks it. */
  state: UserState;
  /** The gate says something else, and what was believed until now has to be asked again. */
  turn(state: UserState): void;
  start(options?: ProcessOptions): Process;
  /** Seeds a grant of alice's and imports it. Answers its id at the issuer. */
  grant(process: Process, more?: Partial<ImportGrant>): Promise<string>;
  task(process: Process, more?: Partial<StartTask>): Promise<Task>;
  /** The one grant in the store. */
  grantRecord(): Promise<GrantRecord>;
  /** How often each refresh token of a grant was presented, oldest first. */
  presented(grantId: string): number[];
}

export async function createWorld(
  options: { readonly issuer?: TestIssuerOptions; readonly process?: ProcessOptions } = {},
): Promise<World> {
  const issuer = await createTestIssuer({ accessTokenLifetimeMs: lifetimeMs, ...options.issuer });
  const ok = (): Response => Response.json({ ok: true });
  const api = await createProtectedApi({
    issuer,
    routes: {
      'GET /items': { scopes: ['read'], handle: ok },
      'POST /items': { scopes: ['write'], handle: ok },
      'DELETE /items': { scopes: ['admin'], handle: ok },
    },
  });
  const clock = createSkippingClock();
  const store = options.process?.store ?? memoryStore();
  const events: AuditEntry[] = [];
  const living = new Set<Outlive>();

  const world: World = {
    issuer,
    api,
    clock,
    store,
    events,
    state: 'active',

    turn(state) {
      world.state = state;
      clock.skip(30_000);
    },

    start(own = {}) {
      const { provider, policy, ...rest } = { ...options.process, ...own };
      const connection = interceptedStore(own.store ?? store);
      const outlive = createOutlive({
        gate: () => world.state,
        clock,
        audit: {
          sinks: [{ name: 'test', write: (entry) => void events.push(entry) }],
          onProblem: () => undefined,
        },
        resources: {
          api: { provider: 'p', baseUrl: api.url, scopes: ['read', 'write', 'admin'] },
        },
        ...rest,
        store: connection,
        providers: {
          p: {
            issuer: issuer.url,
            clientId: 'agent',
            clientSecret: 'agent-secret',
            ...options.process?.provider,
            ...provider,
          },
        },
        policy: {
          maintainMs: 0,
          gateCacheMs: 0,
          authorize: authorizePeople,
          ...options.process?.policy,
          ...policy,
        },
      });
      living.add(outlive);
      return {
        outlive,
        store: connection,
        kill() {
          living.delete(outlive);
          connection.intercept(never);
        },
      };
    },

    async grant({ outlive }, more = {}) {
      const { grantId, tokenResponse } = await issuer.seedGrant({ subject: 'alice' });
      await outlive.grants.import({
        provider: 'p',
        principal: alice,
        tokens: tokenResponse,
        issuedAt: clock.now(),
        ...more,
      });
      return grantId;
    },

    task: ({ outlive }, more = {}) =>
      outlive.startTask({
        principal: alice,
        agent: 'agent',
        requirements: [reading, writing, deleting],
        expectedDurationMs: 3_600_000,
        ...more,
      }),

    async grantRecord() {
      const records = createRecords({ store, sealer: createSealer(undefined) });
      for await (const { key } of store.list({ kind: 'grant' })) {
        const found = await records.get<GrantRecord>(key);
        if (found !== undefined) return found.value;
      }
      throw new Error('there is no grant in the store');
    },

    presented: (grantId) => issuer.presentations(grantId).map(({ times }) => times),

    async [Symbol.asyncDispose]() {
      await Promise.all([...living].map((outlive) => outlive.close()));
      await api.close();
      await issuer.close();
    },
  };
  return world;
}

/** What a dead process gets for its questions. */
export function never(): Promise<never> {
  return new Promise(() => undefined);
}

export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

/** Something that tests wait for and open. */
export interface Latch {
  readonly opened: Promise<void>;
  open(): void;
}

export function createLatch(): Latch {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

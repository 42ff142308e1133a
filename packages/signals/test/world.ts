import {
  alwaysActive,
  createOutlive,
  memoryStore,
  type Outlive,
  type OutliveOptions,
  type Principal,
  type Requirement,
  type Store,
  type Task,
} from '@outlive/core';
import {
  createTestIssuer,
  createTestTransmitter,
  type PushResult,
  serveHandler,
  type TestIssuer,
  type TestStream,
  type TestTransmitter,
} from '@outlive/testing';
import {
  createPushReceiver,
  createStreamClient,
  eventTypes,
  type PushReceiverOptions,
} from '../src/index.ts';

export const alice: Principal = { subject: 'alice' };
/** How the transmitter names alice. */
export const aliceThere = '99beb27c';
export const reading: Requirement = { resource: 'api', scopes: ['read'], effect: 'read' };
export const audience = 'https://receiver.example';
export const pushCredentials = 'Bearer push-secret';

/** An app with one task of alice's, and a transmitter that names her otherwise. */
export interface World extends AsyncDisposable {
  readonly outlive: Outlive;
  readonly issuer: TestIssuer;
  readonly transmitter: TestTransmitter;
  readonly store: Store;
  readonly task: Task;
  /** What the runtime would say to a call now: `active`, or the reason why not. */
  state(): Promise<string>;
  /** Everything that is stored about people and events, to see that nothing changed. */
  records(): Promise<readonly string[]>;
  /** A pushed stream to a receiver of its own. */
  stream(more?: Partial<PushReceiverOptions>): Promise<TestStream>;
  /** Pushes a token that is made of the claims of a correct event, changed. */
  push(
    stream: TestStream,
    change: Readonly<Record<string, unknown>>,
    signing?: Parameters<TestTransmitter['sign']>[1],
  ): Promise<PushResult>;
}

export async function createWorld(options: Partial<OutliveOptions> = {}): Promise<World> {
  const issuer = await createTestIssuer({ accessTokenLifetimeMs: 3_600_000 });
  const transmitter = await createTestTransmitter({ audience });
  const store = options.store ?? memoryStore();
  const outlive = createOutlive({
    gate: alwaysActive,
    resources: { api: { provider: 'p', baseUrl: issuer.url, scopes: ['read'] } },
    providers: { p: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' } },
    audit: { onProblem: () => undefined },
    ...options,
    policy: { maintainMs: 0, gateCacheMs: 0, ...options.policy },
    store,
  });
  const { tokenResponse } = await issuer.seedGrant({ subject: 'alice' });
  await outlive.grants.import({ provider: 'p', principal: alice, tokens: tokenResponse });
  const task = await outlive.startTask({
    principal: alice,
    agent: 'agent',
    requirements: [reading],
    expectedDurationMs: 3_600_000,
  });
  await task.getAccessToken(reading);
  const directory = transmitter.url;
  await outlive.directory.link({ directory, format: 'iss_sub', id: aliceThere }, alice);
  const closing: AsyncDisposable[] = [transmitter, issuer];

  return {
    outlive,
    issuer,
    transmitter,
    store,
    task,
    state: () =>
      task.getAccessToken(reading).then(
        () => 'active',
        (error) => error.reason,
      ),
    async records() {
      const found: string[] = [];
      for (const kind of ['subject', 'event', 'link', 'task', 'grant'] as const)
        for await (const { key, version } of store.list({ kind })) found.push(`${key}@${version}`);
      return found;
    },
    async stream(more = {}) {
      const receiver = createPushReceiver({
        outlive,
        issuer: transmitter.url,
        audience,
        authorization: pushCredentials,
        onProblem: () => undefined,
        ...more,
      });
      const served = await serveHandler(receiver);
      closing.unshift(served);
      const client = createStreamClient({
        issuer: transmitter.url,
        authorization: `Bearer ${transmitter.managementToken}`,
      });
      const { id } = await client.ensureStream({
        delivery: {
          method: 'push',
          endpoint: `${served.url}/events`,
          authorization: pushCredentials,
        },
        events: Object.values(eventTypes),
      });
      const stream = transmitter.streams.find(({ stream_id }) => stream_id === id);
      if (stream === undefined) throw new Error('the stream is not there');
      return stream;
    },
    async push(stream, change, signing) {
      const claims = { ...transmitter.claims(sessionRevoked(transmitter)), ...change };
      return transmitter.push(stream, await transmitter.sign(claims, signing));
    },
    async [Symbol.asyncDispose]() {
      await outlive.close();
      for (const one of closing) await one[Symbol.asyncDispose]();
    },
  };
}

/** Alice as the transmitter names her. */
export function subjectOf({ url }: Pick<TestTransmitter, 'url'>): Record<string, unknown> {
  return { format: 'iss_sub', iss: url, sub: aliceThere };
}

export function sessionRevoked(transmitter: Pick<TestTransmitter, 'url'>) {
  return { type: eventTypes.sessionRevoked, subject: subjectOf(transmitter) };
}

export async function collect<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

import { format, inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import type { GrantRecord } from '../src/grant-record.ts';
import { memoryStore, Secret } from '../src/index.ts';
import { createRecords } from '../src/records.ts';
import { createSealer } from '../src/sealing.ts';
import { interceptedStore } from './intercepted-store.ts';
import { createWorld, type ProcessOptions, reading, untilUnusableMs, writing } from './world.ts';

const clientSecret = 'agent-secret';

/** Everything secret that a run comes by, and everything it leaves behind. */
class Canaries {
  readonly #secrets = new Set<string>([
    clientSecret,
    Buffer.from(`agent:${clientSecret}`).toString('base64'),
  ]);
  readonly #places: [string, string][] = [];
  readonly #responses: Promise<void>[] = [];

  plant(...secrets: readonly string[]): void {
    for (const secret of secrets) this.#secrets.add(secret);
  }

  /** The issuer's door: whatever comes out of it is a canary. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await globalThis.fetch(input, init);
    if (String(input).endsWith('/token')) this.#responses.push(this.#plantFrom(response.clone()));
    return response;
  };

  async #plantFrom(response: Response): Promise<void> {
    const body: unknown = await response.json();
    for (const [name, value] of Object.entries(body ?? {}))
      if (name.endsWith('_token') && typeof value === 'string') this.plant(value);
  }

  /** Looks at `value` in all the ways in which things get printed, sent and stored. */
  search(place: string, value: unknown): void {
    const add = (how: string, text: unknown): void => {
      this.#places.push([`${place}, ${how}`, String(text)]);
    };
    const views = { showHidden: true, depth: 10, getters: true, maxArrayLength: null } as const;
    add('inspected', inspect(value, { ...views, maxStringLength: null }));
    add('inspected raw', inspect(value, { ...views, customInspect: false, maxStringLength: null }));
    add(
      'as text',
      typeof value === 'object' && value !== null ? format('%o %O', value, value) : value,
    );
    add('as JSON', JSON.stringify(value));
    for (const error of chainOf(value))
      add(
        'as an error',
        `${error.message}\n${error.stack}\n${String(error)}\n${JSON.stringify(error)}`,
      );
    if (typeof value !== 'object' || value === null) return;
    for (const key of Reflect.ownKeys(value)) {
      const own: unknown = Reflect.get(value, key);
      if (typeof own !== 'function') add(`own ${String(key)}`, inspect(own, views));
    }
    try {
      add('cloned', inspect(structuredClone(value), views));
    } catch (error) {
      // What cannot be cloned leaks nothing that way; what its error says is looked at too.
      add('not cloned', error);
    }
  }

  async found(): Promise<string[]> {
    await Promise.all(this.#responses);
    const found = this.#places.flatMap(([place, text]) =>
      [...this.#secrets].some((secret) => text.includes(secret)) ? [place] : [],
    );
    return [...new Set(found)];
  }

  get planted(): number {
    return this.#secrets.size;
  }
}

function* chainOf(value: unknown, depth = 0): Generator<Error> {
  if (depth > 10 || !(value instanceof Error)) return;
  yield value;
  yield* chainOf(value.cause, depth + 1);
  if (value instanceof AggregateError)
    for (const one of value.errors) yield* chainOf(one, depth + 1);
}

async function setUp(options: ProcessOptions = {}) {
  const canaries = new Canaries();
  const store = interceptedStore(memoryStore());
  store.intercept((call, proceed) => {
    canaries.search(`store ${call.operation}`, { ...call });
    return proceed();
  });
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const keys = { current: 'k1', ring: { k1: bytes }, hash: bytes };
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, name).mockImplementation((...line) => canaries.search('console', line));
  const world = await createWorld({
    process: {
      keys,
      store,
      provider: { delegation: 'narrowedRefresh', fetch: canaries.fetch },
      ...options,
    },
  });
  const process = world.start();
  const { grantId, tokenResponse } = await world.issuer.seedGrant({ subject: 'alice' });
  canaries.plant(tokenResponse.access_token, tokenResponse.refresh_token);
  const grant = await process.outlive.grants.import({
    provider: 'p',
    principal: { subject: 'alice' },
    tokens: tokenResponse,
  });
  canaries.search('grant', grant);
  return { canaries, world, process, grantId, keys };
}

type Setting = Awaited<ReturnType<typeof setUp>>;

/** The grant as the runtime sees it: this store's values are sealed. */
async function openedGrant({ world, keys }: Setting): Promise<GrantRecord> {
  const records = createRecords({ store: world.store, sealer: createSealer(keys) });
  for await (const { key } of world.store.list({ kind: 'grant' })) {
    const found = await records.get<GrantRecord>(key);
    if (found !== undefined) return found.value;
  }
  throw new Error('there is no grant in the store');
}

/** Looks at everything that is left when a task is done. */
async function searchRemains({ canaries, world, process }: Setting, taskId: string) {
  const { outlive } = process;
  const explanation = await outlive.explain(taskId);
  canaries.search('explanation', explanation);
  canaries.search('explanation text', explanation.text);
  canaries.search('verification', await outlive.verify(taskId));
  for (const event of world.events) canaries.search('audit', event);
  canaries.search('runtime', outlive);
  for (const kind of [
    'grant',
    'task',
    'ended-task',
    'pause',
    'delegation',
    'call',
    'subject',
  ] as const)
    for await (const listed of world.store.list({ kind })) {
      canaries.search('listed', listed);
      canaries.search('stored', await world.store.get(listed.key));
    }
  for (const token of world.api.tokens()) canaries.plant(token);
}

describe('no token', () => {
  it('is left anywhere by a task with success, refusal, pause and resumption', async () => {
    const setting = await setUp();
    const { canaries, world, process } = setting;
    await using _ = world;
    const task = await world.task(process, { requirements: [reading, writing] });
    const run = task.startRun();
    const look = (what: Record<string, unknown>): void => {
      for (const [place, value] of Object.entries(what)) canaries.search(place, value);
    };

    const call = run.call({ requirement: reading, toolName: 't', toolCallId: 'c1', input: {} });
    const response = await call.principal.fetch('items');
    look({
      response,
      handle: call.principal,
      fetch: call.principal.fetch,
      body: await response.json(),
    });
    look({ settled: await call.settle({ ok: true }), call, entry: call.entry });
    world.clock.skip(untilUnusableMs);
    await call.principal.fetch('items');
    look({ slot: await task.getAccessToken(reading) });

    const refused = run.call({ requirement: writing, toolName: 't', toolCallId: 'c2', input: {} });
    world.api.rejectNext(2);
    const error = await refused.principal
      .fetch('items', { method: 'POST' })
      .catch((thrown: unknown) => thrown);
    look({ error, settled: await refused.settle({ ok: false, error }), refusals: run.refusals });
    const end = await run.finish();
    look({ end, ledger: run.ledger, task, run, refused });
    if (end.status !== 'paused') throw new Error(`the run is ${end.status}`);

    const { outlive } = process;
    look({ decision: await outlive.decide(end.pause.id, { decision: 'resume', by: 'ops' }) });
    look({ resumption: await outlive.resume(end.pause.id) });
    const again = await task.resumeRun({ runId: run.id, toolCallIds: ['c2'] });
    const resumed = again.call({
      requirement: writing,
      toolName: 't',
      toolCallId: 'c2',
      input: {},
    });
    look({ admission: await resumed.admission });
    await resumed.principal.fetch('items', { method: 'POST' });
    look({ resumed: await resumed.settle({ ok: true }), again, outcome: await again.finish() });
    look({ completed: await task.complete() });
    await searchRemains(setting, task.id);

    expect(canaries.planted).toBeGreaterThan(8);
    expect(await canaries.found()).toEqual([]);
  });

  it.each<[string, (secret: string) => object]>([
    ['a description', (secret) => ({ error: 'invalid_grant', error_description: secret })],
    ['a code', (secret) => ({ error: secret, error_description: secret })],
    ['a refusal of the request', (secret) => ({ error: 'invalid_scope', error_uri: secret })],
    ['a field of its own', (secret) => ({ error: 'server_error', refresh_token: secret })],
    ['a wrong registration', (secret) => ({ error: 'invalid_client', client_secret: secret })],
  ])('is left by an issuer that repeats what it was sent in %s', async (_where, bodyOf) => {
    const setting = await setUp();
    const { canaries, world, grantId } = setting;
    await using _ = world;
    const process = world.start({ policy: { maxWaitMs: 500 } });
    const task = await world.task(process, { requirements: [reading] });
    const { refreshToken } = await openedGrant(setting);
    const secret = refreshToken?.reveal() ?? '';
    using _echo = world.issuer.fault(() => ({
      fault: 'status',
      status: 400,
      body: bodyOf(secret),
      headers: { 'www-authenticate': `Bearer error="${secret}", scope="${secret}"` },
    }));
    const run = task.startRun();
    const call = run.call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });

    const error = await call.principal.fetch('items').catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ name: 'AuthError' });
    // Also where the caller's patience ended before the request was sent.
    await vi.waitFor(() => expect(world.presented(grantId)).toEqual([1]));
    canaries.search('error', error);
    canaries.search('end', await run.finish());
    await searchRemains(setting, task.id);
    expect(await canaries.found()).toEqual([]);
  });

  it('is left by an API that repeats what it was sent in its challenge', async () => {
    const echo: typeof globalThis.fetch = async (_input, init) => {
      const sent = new Headers(init?.headers).get('authorization')?.slice(7) ?? '';
      const challenge = `Bearer error="insufficient_scope", scope="read ${sent}", realm="${sent}"`;
      return new Response(sent, { status: 403, headers: { 'www-authenticate': challenge } });
    };
    const setting = await setUp({ fetch: echo });
    const { canaries, world, process } = setting;
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    const run = task.startRun();
    const call = run.call({ requirement: reading, toolName: 't', toolCallId: 'c', input: {} });

    const error = await call.principal.fetch('items').catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'insufficient_scope' });
    canaries.search('error', error);
    canaries.search('end', await run.finish());
    await searchRemains(setting, task.id);
    expect(await canaries.found()).toEqual([]);
  });
});

describe('the search itself', () => {
  it('finds a token wherever one could be', async () => {
    const canaries = new Canaries();
    canaries.plant('the-token');
    const symbol = Symbol('hidden');
    const leaks: Record<string, unknown> = {
      text: 'a the-token',
      field: { deep: { er: ['the-token'] } },
      hidden: Object.defineProperty({}, 'token', { value: 'the-token', enumerable: false }),
      symbol: { [symbol]: 'the-token' },
      getter: {
        get token() {
          return 'the-token';
        },
      },
      cause: new Error('x', { cause: new Error('y', { cause: new Error('the-token') }) }),
      map: new Map([['a', 'the-token']]),
    };
    for (const [place, value] of Object.entries(leaks)) canaries.search(place, value);
    const places = (await canaries.found()).map((place) => place.split(',')[0]);
    expect(new Set(places)).toEqual(new Set(Object.keys(leaks)));
  });

  it('finds the tokens of a store that is not sealed', async () => {
    const setting = await setUp({ keys: 'unsealed' });
    const { canaries, world, process } = setting;
    await using _ = world;
    const task = await world.task(process, { requirements: [reading] });
    await task.getAccessToken(reading);
    await searchRemains(setting, task.id);
    const places = await canaries.found();
    expect(places).toContain('stored, as JSON');
    expect(places).toContain('store compareAndSwap, own value');
    expect(places.filter((place) => !place.startsWith('store'))).toEqual([]);
  });
});

describe('a secret', () => {
  const value = 'the-token';
  const secret = new Secret(value);

  it.each<[string, () => string]>([
    ['a template', () => `${secret}`],
    ['concatenation', () => `Bearer ${String(secret)}`],
    ['String()', () => String(secret)],
    ['toString()', () => secret.toString()],
    ['toLocaleString()', () => secret.toLocaleString()],
    ['JSON', () => JSON.stringify({ secret })],
    ['JSON of a map', () => JSON.stringify([...new Map([['a', secret]])])],
    ['inspect', () => inspect(secret)],
    ['inspect within', () => inspect({ a: [{ secret }] }, { depth: 10, showHidden: true })],
    [
      'inspect without its own way',
      () => inspect(secret, { customInspect: false, showHidden: true }),
    ],
    ['%s', () => format('%s', secret)],
    ['%o', () => format('%o', secret)],
    ['%O', () => format('%O', secret)],
    ['%j', () => format('%j', secret)],
    ['an error', () => String(new Error(`no ${secret}`, { cause: secret }).stack)],
    ['its tag', () => Object.prototype.toString.call(secret)],
    ['its entries', () => JSON.stringify(Object.entries(secret))],
    ['its own keys', () => Reflect.ownKeys(secret).map(String).join()],
    ['a copy', () => inspect({ ...secret })],
    ['a structured clone', () => inspect(structuredClone(secret), { showHidden: true })],
    ['a headers object', () => new Headers({ a: String(secret) }).get('a') ?? ''],
  ])('does not show in %s', (_form, print) => {
    expect(print()).not.toContain(value);
  });

  it('gives its value back to whoever asks for it by name', () => {
    expect(secret.reveal()).toBe(value);
  });
});

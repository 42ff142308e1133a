import { describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  createOutlive,
  type DecisionRequest,
  type ImportGrant,
  memoryStore,
  type OutliveOptions,
  Secret,
  type StartTask,
  type UserStateReport,
} from '../src/index.ts';
import { pausedTask } from './paused-task.ts';
import { alice, createWorld, reading } from './world.ts';

const canary = 'hunter2-canary';
const provider = {
  issuer: 'https://issuer.example',
  clientId: 'agent',
  clientSecret: new Secret(canary),
};
const resource = { provider: 'p', baseUrl: 'https://api.example', scopes: ['read'] };
const good = {
  store: memoryStore(),
  providers: { p: provider },
  resources: { api: resource },
  gate: () => 'active',
  policy: { maintainMs: 0 },
};

/** The configuration with one field set. */
function withField(path: string, value: unknown): OutliveOptions {
  const [first = '', ...rest] = path.split('.');
  const set = (target: unknown, names: readonly string[]): unknown => {
    const [name, ...deeper] = names;
    if (name === undefined) return value;
    const object = typeof target === 'object' && target !== null ? target : {};
    return { ...object, [name]: set(Reflect.get(object, name), deeper) };
  };
  return set(good, [first, ...rest]) as OutliveOptions;
}

function configurationErrorOf(make: () => unknown): ConfigurationError {
  try {
    make();
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const bytes = new Uint8Array(32);
const keys = { current: 'k1', ring: { k1: bytes }, hash: bytes };

describe('a configuration that is wrong', () => {
  it.each<[string, unknown, string?]>([
    ['store', undefined],
    ['store', { get: () => undefined }],
    ['providers', []],
    ['providers.bad name', provider, 'providers.bad name'],
    ['providers.p.issuer', 'issuer.example'],
    ['providers.p.issuer', 'http://issuer.example'],
    ['providers.p.issuer', `https://user:${canary}@issuer.example`],
    ['providers.p.issuer', `https://issuer.example/?key=${canary}`],
    ['providers.p.issuer', 'https://issuer.example/#here'],
    ['providers.p.clientId', ''],
    ['providers.p.clientSecret', ''],
    ['providers.p.clientSecret', 20_262_027],
    ['providers.p.clientAuthentication', 'none', 'providers.p.clientSecret'],
    ['providers.p.clientAuthentication', 'private_key_jwt'],
    ['providers.p.profile', { rotation: 'leeway' }, 'providers.p.profile.leewayMs'],
    ['providers.p.profile.rotation', 'sometimes'],
    ['providers.p.profile.probes', true],
    ['providers.p.delegation', 'tokenExchanges'],
    ['providers.p.exchange', {}],
    ['providers.p.profile.exchangedTokenGrant', 'mine'],
    ['providers.p.profile.longestAccessTokenMs', 0],
    ['resources.api.audience', ''],
    ['providers.p.redirectUri', '/callback'],
    ['providers.p.resource', 'x'],
    ['resources.api.provider', 'q'],
    ['resources.api.baseUrl', 'http://api.example'],
    ['resources.api.baseUrl', 'file:///etc/passwd'],
    ['resources.api.scopes', 'read'],
    ['resources.api.scopes', ['read write'], 'resources.api.scopes.0'],
    ['resources.api.allowedOrigins', ['//elsewhere'], 'resources.api.allowedOrigins.0'],
    ['resources.api.indicator', 'https://api.example/#x'],
    ['resources.api.url', 'https://api.example'],
    ['gate', undefined],
    ['gate', []],
    ['gate', [{ name: 'directory' }]],
    ['policy.requestTimeoutMs', 0],
    ['policy.requestTimeoutMs', '30s'],
    ['policy.sendByMs', 5001],
    ['policy', { requestTimeoutMs: 1000, settleMs: 1000, sendByMs: 1500 }, 'policy.sendByMs'],
    ['policy.stopPollMs', 501],
    ['policy.gateCacheMs', 6000],
    ['policy.unknownToleranceMs.irreversible', 1],
    ['policy.retries', 3],
    ['policy.authorize', 'root'],
    ['audit.sinks', [{ name: 'log' }], 'audit.sinks.0.write'],
    ['keys', canary],
    ['keys', { current: 'k1', ring: { k1: canary }, hash: bytes }],
    ['keys', { ...keys, hash: new Uint8Array(16) }, 'keys.hash'],
    ['journal', { write: () => undefined }],
    ['clock', Date],
    ['fetch', 'node-fetch'],
    ['retry', true],
  ])('in %s is refused with its path', (field, value, path = field) => {
    const error = configurationErrorOf(() => createOutlive(withField(field, value)));
    expect(error.paths).toContain(path);
    expect(error.message).toContain(path);
    expect(error.message).not.toContain(canary);
    expect(error.message).not.toContain('20262027');
    expect(error.message).not.toContain('[object');
  });

  it('names every wrong field, not only the first', () => {
    const error = configurationErrorOf(() =>
      createOutlive({ ...withField('policy.sendByMs', -1), gate: undefined } as never),
    );
    expect(error.paths).toEqual(expect.arrayContaining(['policy.sendByMs', 'gate']));
  });

  it('says what was expected and what came', () => {
    expect(() => createOutlive(withField('policy.stopPollMs', 501))).toThrow(
      'policy.stopPollMs: expected at most 500 ms: a pause must reach every process within a second; got 501',
    );
  });

  it('is nothing at all', () => {
    expect(configurationErrorOf(() => createOutlive(undefined as never)).message).toContain(
      '(the whole)',
    );
  });

  it('keeps tokens in a durable store only sealed, or said out loud', () => {
    const { ephemeral: _not, ...durable } = memoryStore();
    const options = withField('store', durable);
    expect(configurationErrorOf(() => createOutlive(options)).paths).toEqual(['keys']);
    expect(() => createOutlive({ ...options, keys })).not.toThrow();
    expect(() => createOutlive({ ...options, keys: 'unsealed' })).not.toThrow();
  });

  it('has no tokens of its own for tasks where rotation kills earlier ones', () => {
    const options = withField('providers.p', {
      ...provider,
      delegation: 'narrowedRefresh',
      profile: { accessTokenAfterRotation: 'revoked' },
    });
    expect(configurationErrorOf(() => createOutlive(options)).paths).toEqual([
      'providers.p.delegation',
    ]);
  });

  it('has no tokens of their own for several resources where rotation kills earlier ones', () => {
    const killing = {
      ...provider,
      resourceIndicators: true,
      profile: { accessTokenAfterRotation: 'revoked' },
    };
    const one = { provider: 'p', baseUrl: 'https://api.example', scopes: ['read'] };
    const options = (resources: unknown, p: unknown = killing): OutliveOptions =>
      ({ ...withField('providers.p', p), resources }) as OutliveOptions;
    const two = { api: one, other: { ...one, baseUrl: 'https://other.example' } };

    expect(configurationErrorOf(() => createOutlive(options(two))).paths).toEqual([
      'providers.p.resourceIndicators',
    ]);
    const sharing = { api: one, other: { ...two.other, indicator: one.baseUrl } };
    expect(() => createOutlive(options(sharing))).not.toThrow();
    expect(() =>
      createOutlive(options(two, { ...killing, resourceIndicators: false })),
    ).not.toThrow();
  });

  it('is not refused when nothing is wrong with it', () => {
    expect(createOutlive(withField('policy', {})).resources).toEqual({
      api: { name: 'api', scopes: ['read'] },
    });
  });
});

describe('a task', () => {
  const start: StartTask = {
    principal: alice,
    agent: 'agent',
    requirements: [reading],
    expectedDurationMs: 1000,
  };

  it.each<[string, unknown, string]>([
    ['no principal', { ...start, principal: undefined }, 'principal'],
    ['an empty tenant', { ...start, principal: { subject: 'a', tenant: '' } }, 'principal.tenant'],
    ['no agent', { ...start, agent: '' }, 'agent'],
    ['no requirements', { ...start, requirements: [] }, 'requirements'],
    ['no duration', { ...start, expectedDurationMs: 0 }, 'expectedDurationMs'],
    ['an endless duration', { ...start, expectedDurationMs: Infinity }, 'expectedDurationMs'],
    ['an option that is none', { ...start, scopes: ['read'] }, 'scopes'],
    [
      'an effect that is none',
      { ...start, requirements: [{ ...reading, effect: 'write' }] },
      'requirements.0.effect',
    ],
    [
      'an unknown resource',
      { ...start, requirements: [{ ...reading, resource: 'crm' }] },
      'requirements',
    ],
    [
      'a scope that the resource does not have',
      { ...start, requirements: [{ ...reading, scopes: ['erase'] }] },
      'requirements',
    ],
  ])('with %s is refused, and leaves nothing behind', async (_what, options, path) => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    // The import's own audit entry may be written meanwhile.
    const writes = () =>
      process.store.calls.filter(
        ({ value, key }) => value !== undefined && !key.startsWith('grant:'),
      );
    const { length } = writes();
    await expect(process.outlive.startTask(options as StartTask)).rejects.toMatchObject({
      name: 'ConfigurationError',
      paths: [path],
    });
    expect(writes()).toHaveLength(length);
  });

  it('cannot be given scopes that the grant does not have', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    const { tokenResponse } = await world.issuer.seedGrant({ subject: 'alice', scopes: ['read'] });
    await world.grant(process, { tokens: tokenResponse });
    await expect(world.task(process)).rejects.toMatchObject({
      code: 'insufficient_scope',
      reason: 'admin write',
    });
  });
});

describe('an imported grant', () => {
  const tokens = { access_token: canary, refresh_token: `${canary}-r`, expires_in: 60 };
  const grant: ImportGrant = { provider: 'p', principal: alice, tokens };

  it.each<[string, unknown, string]>([
    ['an unknown provider', { ...grant, provider: 'q' }, 'provider'],
    ['no subject', { ...grant, principal: { subject: '' } }, 'principal.subject'],
    ['no tokens', { ...grant, tokens: undefined }, 'tokens'],
    ['the token where the response belongs', { ...grant, tokens: canary }, 'tokens'],
    ['no access token', { ...grant, tokens: { refresh_token: canary } }, 'tokens.access_token'],
    [
      'a refresh token that is none',
      { ...grant, tokens: { ...tokens, refresh_token: 20_262_027 } },
      'tokens.refresh_token',
    ],
    [
      'a token bound to a key that is not there',
      { ...grant, tokens: { ...tokens, token_type: 'DPoP' } },
      'proofKey',
    ],
    [
      'a lifetime below 0',
      { ...grant, tokens: { ...tokens, expires_in: -1 } },
      'tokens.expires_in',
    ],
    ['a resource that is no URL', { ...grant, resources: ['api'] }, 'resources.0'],
    ['a time in seconds with a fraction', { ...grant, issuedAt: 1.5 }, 'issuedAt'],
    ['an option that is none', { ...grant, refreshToken: canary }, 'refreshToken'],
  ])('with %s is refused, and no token is repeated', async (_what, options, path) => {
    const { grants } = createOutlive(good as never);
    const error = await grants.import(options as ImportGrant).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ConfigurationError', paths: [path] });
    expect(String(error)).not.toContain(canary);
    expect(String(error)).not.toContain('20262027');
  });

  it('does not silently replace a living one', async () => {
    const { grants } = createOutlive(withField('store', memoryStore()));
    await grants.import(grant);
    await expect(grants.import(grant)).rejects.toMatchObject({ paths: ['replace'] });
    expect(await grants.import({ ...grant, replace: true })).toMatchObject({ generation: 1 });
  });
});

describe('a decision', () => {
  it.each<[string, unknown, string]>([
    ['no answer', { by: 'alice' }, 'decision'],
    ['an answer that is none', { decision: 'approve', by: 'alice' }, 'decision'],
    ['nobody who decides', { decision: 'resume', by: '' }, 'by'],
    ['an option that is none', { decision: 'resume', by: 'alice', role: 'admin' }, 'role'],
    ['reruns that are no list', { decision: 'resume', by: 'alice', rerun: 'c1' }, 'rerun'],
  ])('with %s is refused, and the pause stays open', async (_what, request, path) => {
    const { world, process, pause } = await pausedTask();
    await using _ = world;
    await expect(
      process.outlive.decide(pause.id, request as DecisionRequest),
    ).rejects.toMatchObject({ name: 'ConfigurationError', paths: [path] });
    expect((await process.outlive.pause(pause.id))?.status).toBe('open');
  });

  it('about a pause that is not there is refused', async () => {
    const world = await createWorld();
    await using _ = world;
    await expect(
      world.start().outlive.decide('nowhere', { decision: 'resume', by: 'alice' }),
    ).rejects.toMatchObject({ name: 'ConfigurationError', paths: ['pauseId'] });
  });
});

describe('a reported state', () => {
  it.each<[string, unknown, string]>([
    ['a state that is none', { state: 'suspended', source: 'hr' }, 'state'],
    ['unknown, which nobody can report', { state: 'unknown', source: 'hr' }, 'state'],
    ['no source', { state: 'revoked', source: '' }, 'source'],
  ])('with %s is refused', async (_what, report, path) => {
    const { reportUserState } = createOutlive(good as never);
    await expect(reportUserState(alice, report as UserStateReport)).rejects.toMatchObject({
      name: 'ConfigurationError',
      paths: [path],
    });
  });
});

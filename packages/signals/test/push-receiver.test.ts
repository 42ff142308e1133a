import {
  alwaysActive,
  createOutlive,
  eventMemoryMs,
  memoryStore,
  type StoredRecord,
} from '@outlive/core';
import { describe, expect, it, vi } from 'vitest';
import {
  createPushReceiver,
  defaultReactions,
  eventTypes,
  type ReceiverProblem,
  type StreamEvent,
} from '../src/index.ts';
import {
  aliceThere,
  audience,
  collect,
  createWorld,
  pushCredentials,
  sessionRevoked,
  subjectOf,
} from './world.ts';

describe('a pushed event', () => {
  const cases: readonly [string, object, string][] = [
    [eventTypes.sessionRevoked, {}, 'paused'],
    [eventTypes.sessionsRevoked, {}, 'paused'],
    [eventTypes.accountDisabled, { reason: 'hijacking' }, 'revoked'],
    [eventTypes.accountPurged, {}, 'revoked'],
    [eventTypes.accountCredentialChangeRequired, {}, 'paused'],
    [eventTypes.credentialCompromise, { credential_type: 'password' }, 'revoked'],
    [eventTypes.identifierRecycled, {}, 'revoked'],
    [eventTypes.credentialChange, { credential_type: 'password', change_type: 'update' }, 'paused'],
    [
      eventTypes.credentialChange,
      { credential_type: 'fido2-roaming', change_type: 'create' },
      'active',
    ],
    [eventTypes.riskLevelChange, { principal: 'USER', current_level: 'HIGH' }, 'paused'],
    [eventTypes.riskLevelChange, { principal: 'USER', current_level: 'LOW' }, 'active'],
    [
      eventTypes.assuranceLevelChange,
      { namespace: 'NIST-AAL', current_level: 'nist-aal1', change_direction: 'decrease' },
      'step_up',
    ],
    [
      eventTypes.assuranceLevelChange,
      { namespace: 'NIST-AAL', current_level: 'nist-aal2', change_direction: 'increase' },
      'active',
    ],
    [
      eventTypes.deviceComplianceChange,
      { previous_status: 'compliant', current_status: 'not-compliant' },
      'paused',
    ],
    [
      eventTypes.deviceComplianceChange,
      { previous_status: 'not-compliant', current_status: 'compliant' },
      'active',
    ],
    [eventTypes.tokenClaimsChange, { claims: { role: 'guest' } }, 'active'],
    [eventTypes.identifierChanged, {}, 'active'],
    [eventTypes.sessionEstablished, {}, 'active'],
    ['https://events.example/lunch', {}, 'active'],
  ];

  it('of each type does what the map says', async () => {
    await using world = await createWorld();
    const stream = await world.stream();
    for (const [at, [type, payload, expected]] of cases.entries()) {
      const event_timestamp = 1000 + 2 * at;
      const events = { [type]: { event_timestamp, ...payload } };
      expect(await world.push(stream, { jti: `${at}`, events })).toEqual({ status: 202, body: '' });
      expect([type, payload, await world.state()]).toEqual([type, payload, expected]);
      const lift = { [eventTypes.accountEnabled]: { event_timestamp: event_timestamp + 1 } };
      await world.push(stream, { jti: `lift ${at}`, events: lift });
      expect(await world.state()).toBe('active');
    }
    const listed = Object.keys(defaultReactions).filter(
      (type) => type !== eventTypes.backChannelLogout,
    );
    const tested = new Set([...cases.map(([type]) => type), eventTypes.accountEnabled]);
    expect(listed.filter((type) => !tested.has(type))).toEqual([]);
  });

  it('that asks for another look has the gate asked at once', async () => {
    let state: 'active' | 'revoked' = 'active';
    await using world = await createWorld({ gate: () => state });
    const stream = await world.stream();
    for (const type of [eventTypes.tokenClaimsChange, eventTypes.identifierChanged]) {
      state = 'active';
      await world.outlive.reportUserState(
        { subject: 'alice' },
        { state: 'active', source: 'test' },
      );
      expect(await world.state()).toBe('active');
      state = 'revoked';
      expect(await world.state()).toBe('active');
      await world.push(stream, { events: { [type]: { claims: {} } } });
      expect(await world.state()).toBe('revoked');
    }
  });

  it('does what the app says instead', async () => {
    await using world = await createWorld();
    const stream = await world.stream({
      reactions: {
        [eventTypes.sessionRevoked]: 'ignore',
        [eventTypes.riskLevelChange]: ({ payload }) =>
          payload['current_level'] === 'MEDIUM' ? 'step_up' : 'ignore',
        'https://events.example/left': 'revoke',
      },
    });
    await world.push(stream, {});
    expect(await world.state()).toBe('active');
    const payload = { principal: 'USER', current_level: 'MEDIUM' };
    await world.push(stream, { events: { [eventTypes.riskLevelChange]: payload } });
    expect(await world.state()).toBe('step_up');
    await world.push(stream, { events: { 'https://events.example/left': {} } });
    expect(await world.state()).toBe('revoked');
  });

  it('is not acknowledged when the rule of the app fails', async () => {
    await using world = await createWorld();
    const rules = [
      () => {
        throw new Error('no rule');
      },
      () => 'whatever' as never,
    ];
    for (const rule of rules) {
      const stream = await world.stream({ reactions: { [eventTypes.sessionRevoked]: rule } });
      expect(await world.push(stream, {})).toMatchObject({ status: 503 });
    }
    expect(await world.state()).toBe('active');
  });

  it('counts once, however often it is pushed', async () => {
    await using world = await createWorld();
    const stream = await world.stream();
    expect(await world.push(stream, { jti: '1' })).toMatchObject({ status: 202 });
    const { url } = world.transmitter;
    await world.outlive.reportUserState({ subject: 'alice' }, { state: 'active', source: url });
    const before = await world.records();
    expect(await world.push(stream, { jti: '1' })).toMatchObject({ status: 202 });
    expect(await world.records()).toEqual(before);
    expect(await world.state()).toBe('active');
  });

  it('is remembered for as long as its token would be accepted', async () => {
    await using world = await createWorld();
    expect(() =>
      createPushReceiver({
        outlive: world.outlive,
        issuer: world.transmitter.url,
        audience,
        authorization: pushCredentials,
        maxAgeMs: eventMemoryMs + 1,
      }),
    ).toThrow('maxAgeMs');
  });

  it('about people of another directory counts where the app has named it', async () => {
    await using world = await createWorld();
    const stream = await world.stream({ subjectIssuers: ['https://hr.example'] });
    const sub_id = { format: 'iss_sub', iss: 'https://hr.example', sub: 'a1' };
    await world.outlive.directory.link(
      { directory: 'https://hr.example', format: 'iss_sub', id: 'a1' },
      { subject: 'alice' },
    );
    expect(await world.push(stream, { sub_id })).toMatchObject({ status: 202 });
    expect(await world.state()).toBe('paused');
  });

  it('about principals that only the app can name stops those', async () => {
    await using world = await createWorld();
    const stream = await world.stream({
      principals: (subjects) =>
        subjects.map(({ id }) => ({ subject: id.replace('@example.com', '') })),
    });
    await world.push(stream, { sub_id: { format: 'email', email: 'Alice@Example.com' } });
    expect(await world.state()).toBe('paused');
  });

  it('of the old form of RISC is understood', async () => {
    await using world = await createWorld();
    const stream = await world.stream();
    const subject = { subject_type: 'iss-sub', iss: world.transmitter.url, sub: aliceThere };
    const events = { [eventTypes.accountDisabled]: { subject, reason: 'hijacking' } };
    expect(await world.push(stream, { sub_id: undefined, events })).toMatchObject({ status: 202 });
    expect(await world.state()).toBe('revoked');
  });

  it('about nobody who is known is acknowledged, kept, and told', async () => {
    await using world = await createWorld();
    const stream = await world.stream();
    const sub_id = { format: 'opaque', id: 'who?' };
    expect(await world.push(stream, { jti: 'u', sub_id })).toMatchObject({ status: 202 });
    expect(await collect(world.outlive.directory.unmatched())).toMatchObject([
      { id: 'u', source: world.transmitter.url, action: 'pause', reason: 'session-revoked' },
    ]);
    expect(await world.state()).toBe('active');
  });
});

describe('the acknowledgement', () => {
  it('is not sent before the event is durable, and the event takes effect when it is sent again', async () => {
    const inner = memoryStore();
    let isAway = false;
    const store = {
      ...inner,
      compareAndSwap: (...given: Parameters<typeof inner.compareAndSwap>) =>
        isAway ? Promise.reject(new Error('the store is away')) : inner.compareAndSwap(...given),
      get: (key: string): Promise<StoredRecord | undefined> =>
        isAway ? Promise.reject(new Error('the store is away')) : inner.get(key),
    };
    await using world = await createWorld({ store });
    const problems: ReceiverProblem[] = [];
    const stream = await world.stream({ onProblem: (problem) => problems.push(problem) });
    isAway = true;
    expect(await world.push(stream, { jti: '1' })).toEqual({ status: 503, body: '' });
    expect(problems).toMatchObject([
      {
        kind: 'unavailable',
        source: world.transmitter.url,
        message: 'a pushed token could not be taken in',
        cause: { message: 'the store is away' },
      },
    ]);
    isAway = false;
    expect(await world.state()).toBe('active');
    expect(await world.push(stream, { jti: '1' })).toEqual({ status: 202, body: '' });
    expect(await world.state()).toBe('paused');
  });

  it('is not sent while the keys of the transmitter cannot be had', async () => {
    await using world = await createWorld();
    let status = 503;
    const fetchKeys: typeof fetch = async (url, init) =>
      String(url).endsWith('/jwks') && status !== 200
        ? new Response('not now', { status })
        : fetch(url, init);
    const stream = await world.stream({ fetch: fetchKeys });
    expect(await world.push(stream, { jti: '1' })).toMatchObject({ status: 503 });
    expect(await world.state()).toBe('active');
    status = 200;
    expect(await world.push(stream, { jti: '1' })).toMatchObject({ status: 202 });
    expect(await world.state()).toBe('paused');
  });

  it('is the same when whoever hears of problems fails', async () => {
    await using world = await createWorld();
    const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const stream = await world.stream({
      onProblem() {
        throw new Error('the pager is away');
      },
      onStreamEvent: () => undefined,
    });
    expect(await world.push(stream, { aud: 'somebody else' })).toMatchObject({ status: 400 });
    expect(printed).toHaveBeenCalledOnce();
  });

  it('comes after every process has been told', async () => {
    await using world = await createWorld();
    const { issuer, store } = world;
    await using other = createOutlive({
      store,
      gate: alwaysActive,
      resources: { api: { provider: 'p', baseUrl: issuer.url, scopes: ['read'] } },
      providers: { p: { issuer: issuer.url, clientId: 'agent', clientSecret: 'agent-secret' } },
      policy: { maintainMs: 0 },
    });
    const stream = await world.stream({ outlive: other });
    await world.push(stream, {});
    await expect.poll(() => world.state(), { timeout: 1000 }).toBe('paused');
  });
});

describe('a token that is refused for good', () => {
  it('is told to the app where the transmitter sent it, and to nobody where anybody may have', async () => {
    await using world = await createWorld();
    const problems: ReceiverProblem[] = [];
    const stream = await world.stream({ onProblem: (problem) => problems.push(problem) });
    expect(await world.push(stream, { aud: 'somebody else' })).toMatchObject({ status: 400 });
    expect(problems).toMatchObject([
      { kind: 'refused', source: world.transmitter.url, cause: { code: 'invalid_audience' } },
    ]);
    const receive = createPushReceiver({
      outlive: world.outlive,
      issuer: world.transmitter.url,
      audience,
      authorization: pushCredentials,
      onProblem: (problem) => problems.push(problem),
    });
    expect((await receive(new Request(audience, { method: 'POST' }))).status).toBe(400);
    expect(problems).toHaveLength(1);
  });
});

describe('an event about the stream', () => {
  it('is told to the app, and stops nobody', async () => {
    await using world = await createWorld();
    const heard: StreamEvent[] = [];
    const stream = await world.stream({ onStreamEvent: (event) => void heard.push(event) });
    const sub_id = { format: 'opaque', id: stream.stream_id };
    const about = (type: string, payload: object) =>
      world.push(stream, { sub_id, events: { [type]: payload } });
    await about(eventTypes.verification, { state: 'abc' });
    await about(eventTypes.verification, {});
    await about(eventTypes.streamUpdated, { status: 'paused', reason: 'maintenance' });
    const streamId = stream.stream_id;
    expect(heard).toEqual([
      { type: 'verification', streamId, state: 'abc' },
      { type: 'verification', streamId },
      { type: 'stream-updated', streamId, status: 'paused', reason: 'maintenance' },
    ]);
    expect(await world.state()).toBe('active');
  });

  it('is sent again when the app could not take it', async () => {
    await using world = await createWorld();
    const stream = await world.stream({
      onStreamEvent: () => {
        throw new Error('not now');
      },
    });
    const sub_id = { format: 'opaque', id: stream.stream_id };
    const events = { [eventTypes.verification]: {} };
    expect(await world.push(stream, { sub_id, events })).toMatchObject({ status: 503 });
  });
});

it('names every option that is wrong', async () => {
  await using world = await createWorld();
  const wrong = () =>
    createPushReceiver({
      outlive: {} as never,
      issuer: 'http://idp.example',
      audience: '',
      authorization: '',
      algorithms: ['HS256'],
      reactions: { [eventTypes.sessionRevoked]: 'delete' as never },
      extra: true,
    } as never);
  for (const path of ['outlive', 'issuer', 'audience', 'authorization', 'algorithms.0', 'extra'])
    expect(wrong).toThrow(`${path}: `);
  expect(wrong).toThrow('reactions.');
  expect(sessionRevoked(world.transmitter).subject).toEqual(subjectOf(world.transmitter));
});

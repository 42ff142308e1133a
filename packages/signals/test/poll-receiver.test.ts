import { memoryStore } from '@outlive/core';
import { expect, it } from 'vitest';
import {
  createPollReceiver,
  createStreamClient,
  eventTypes,
  type PollReceiverOptions,
  type ReceiverProblem,
} from '../src/index.ts';
import { audience, createWorld, sessionRevoked, subjectOf, type World } from './world.ts';

async function setUp(world: World, more: Partial<PollReceiverOptions> = {}) {
  const { transmitter, outlive } = world;
  const authorization = `Bearer ${transmitter.managementToken}`;
  const client = createStreamClient({ issuer: transmitter.url, authorization });
  const { id, endpoint } = await client.ensureStream({
    delivery: { method: 'poll' },
    events: Object.values(eventTypes),
  });
  const stream = transmitter.streams.find(({ stream_id }) => stream_id === id);
  if (stream === undefined) throw new Error('the stream is not there');
  const receiver = createPollReceiver({
    outlive,
    issuer: transmitter.url,
    audience,
    endpoint,
    authorization: () => authorization,
    ...more,
  });
  return { stream, receiver };
}

it('takes in what waits, acknowledges it, and is done', async () => {
  await using world = await createWorld();
  const { stream, receiver } = await setUp(world, { maxEvents: 2 });
  for (let event = 0; event < 5; event += 1)
    await world.transmitter.send(sessionRevoked(world.transmitter));
  expect(stream.waiting.size).toBe(5);
  expect(await receiver.poll()).toEqual({ accepted: 5, refused: [] });
  expect(stream.waiting.size).toBe(0);
  expect(await world.state()).toBe('paused');
  expect(await receiver.poll()).toEqual({ accepted: 0, refused: [] });
});

it('tells the transmitter why it refuses a token, and takes the others', async () => {
  await using world = await createWorld();
  const { stream, receiver } = await setUp(world);
  const { transmitter } = world;
  const bad = transmitter.claims(sessionRevoked(transmitter));
  stream.waiting.set(
    'bad',
    await transmitter.sign({ ...bad, jti: 'bad', aud: 'https://other.example' }),
  );
  stream.waiting.set('garbage', 'garbage');
  stream.waiting.set('renamed', await transmitter.sign({ ...bad, jti: 'another' }));
  await transmitter.send({ type: eventTypes.accountDisabled, subject: subjectOf(transmitter) });
  const report = await receiver.poll();
  expect(report.accepted).toBe(1);
  expect(report.refused.map(({ id, error }) => [id, error.code])).toEqual([
    ['bad', 'invalid_audience'],
    ['garbage', 'invalid_request'],
    ['renamed', 'invalid_request'],
  ]);
  expect(stream.refused.get('bad')).toMatchObject({ err: 'invalid_audience' });
  expect(stream.waiting.size).toBe(0);
  expect(await world.state()).toBe('revoked');
});

it('acknowledges nothing that had no effect: it comes again', async () => {
  const inner = memoryStore();
  let isAway = false;
  const store: typeof inner = {
    ...inner,
    compareAndSwap: (...given) =>
      isAway ? Promise.reject(new Error('the store is away')) : inner.compareAndSwap(...given),
  };
  await using world = await createWorld({ store });
  const { stream, receiver } = await setUp(world);
  await world.transmitter.send(sessionRevoked(world.transmitter));
  stream.waiting.set('garbage', 'garbage');
  isAway = true;
  await expect(receiver.poll()).rejects.toThrow('the store is away');
  isAway = false;
  // What was refused for good is told all the same.
  expect([...stream.waiting.keys()]).toHaveLength(1);
  expect(stream.refused.get('garbage')).toMatchObject({ err: 'invalid_request' });
  expect(await world.state()).toBe('active');
  expect(await receiver.poll()).toMatchObject({ accepted: 1 });
  expect(await world.state()).toBe('paused');
});

it('follows a stream until it is stopped, through failures of which it tells', async () => {
  await using world = await createWorld();
  const stop = new AbortController();
  const problems: ReceiverProblem[] = [];
  let failing = 1;
  const { receiver, stream } = await setUp(world, {
    onProblem: (problem) => problems.push(problem),
    fetch: async (url, init) => {
      if (String(url).includes('/poll/') && failing-- > 0)
        return new Response(null, { status: 502 });
      return fetch(url, init);
    },
  });
  const following = receiver.follow({ signal: stop.signal });
  stream.waiting.set('garbage', 'garbage');
  await world.transmitter.send(sessionRevoked(world.transmitter));
  await expect.poll(() => world.state(), { timeout: 10_000 }).toBe('paused');
  stop.abort();
  await following;
  const source = world.transmitter.url;
  expect(problems).toMatchObject([
    { kind: 'unavailable', source, cause: { name: 'SignalError', code: 'refused', status: 502 } },
    { kind: 'refused', source, cause: { name: 'SetError', code: 'invalid_request' } },
  ]);
});

it('says what is wrong with an answer', async () => {
  await using world = await createWorld();
  const answers: readonly [Response, object][] = [
    [new Response('<html>', { status: 200 }), { code: 'malformed' }],
    [Response.json({ sets: ['x'] }), { code: 'malformed' }],
    [Response.json({ sets: { a: 7 } }), { code: 'malformed' }],
    [new Response(null, { status: 401 }), { code: 'refused', status: 401 }],
    [new Response('x'.repeat(9 * 1024 * 1024), { status: 200 }), { code: 'malformed' }],
  ];
  for (const [answer, error] of answers) {
    const { receiver } = await setUp(world, {
      fetch: async (url, init) => (String(url).includes('/poll/') ? answer : fetch(url, init)),
    });
    await expect(receiver.poll()).rejects.toMatchObject({ name: 'SignalError', ...error });
  }
  const { receiver } = await setUp(world, {
    fetch: () => Promise.reject(new TypeError('fetch failed')),
  });
  await expect(receiver.poll()).rejects.toMatchObject({ code: 'unreachable' });
});

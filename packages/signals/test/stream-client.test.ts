import { describe, expect, it } from 'vitest';
import { createStreamClient, eventTypes, type StreamEvent } from '../src/index.ts';
import { createWorld, pushCredentials, sessionRevoked, subjectOf, type World } from './world.ts';

const events = [eventTypes.sessionRevoked, eventTypes.accountDisabled];

function clientOf({ transmitter }: World, more: { readonly fetch?: typeof fetch } = {}) {
  return createStreamClient({
    issuer: transmitter.url,
    authorization: async () => `Bearer ${transmitter.managementToken}`,
    ...more,
  });
}

function answering(answers: Readonly<Record<string, unknown>>): typeof fetch {
  return async (url, init) => {
    const { pathname } = new URL(String(url));
    return pathname in answers ? Response.json(answers[pathname]) : fetch(url, init);
  };
}

describe('setting up a stream', () => {
  it('makes one, and finds it again', async () => {
    await using world = await createWorld();
    const client = clientOf(world);
    const delivery = {
      method: 'push',
      endpoint: 'https://app.example/events',
      authorization: 'Bearer 1',
    } as const;
    const stream = await client.ensureStream({ delivery, events });
    expect(stream).toMatchObject({
      issuer: world.transmitter.url,
      audience: 'https://receiver.example',
      endpoint: delivery.endpoint,
      eventsDelivered: events,
    });
    const again = await client.ensureStream({
      delivery: { ...delivery, authorization: 'Bearer 2' },
      events: [eventTypes.accountDisabled],
    });
    expect(again.id).toBe(stream.id);
    expect(again.eventsDelivered).toEqual([eventTypes.accountDisabled]);
    expect(world.transmitter.streams).toMatchObject([
      { delivery: { authorization_header: 'Bearer 2' } },
    ]);
    const polled = await client.ensureStream({ delivery: { method: 'poll' }, events });
    expect(polled.endpoint).toContain('/poll/');
    expect(world.transmitter.streams).toHaveLength(2);
    await client.deleteStream(stream.id);
    expect(world.transmitter.streams).toHaveLength(1);
  });

  it('has its events delivered, and can see that they arrive', async () => {
    await using world = await createWorld();
    const heard: StreamEvent[] = [];
    const { stream_id: id } = await world.stream({
      onStreamEvent: (event) => void heard.push(event),
    });
    const client = clientOf(world);
    await client.verify(id, 'state 1');
    expect(heard).toEqual([{ type: 'verification', streamId: id, state: 'state 1' }]);
    await client.setStatus(id, 'paused');
    expect(await client.status(id)).toEqual({ status: 'paused', reason: undefined });
    expect(heard.at(-1)).toMatchObject({ type: 'stream-updated', status: 'paused' });
    expect(await world.transmitter.send(sessionRevoked(world.transmitter))).toEqual([]);
    await client.setStatus(id, 'enabled');
    expect(await world.transmitter.send(sessionRevoked(world.transmitter))).toMatchObject([
      { status: 202 },
    ]);
    expect(await world.state()).toBe('paused');
    expect(pushCredentials).toBe('Bearer push-secret');
  });

  it('names the subjects that events are wanted about', async () => {
    await using world = await createWorld();
    const stream = await world.stream();
    const client = clientOf(world);
    const subject = subjectOf(world.transmitter);
    await client.addSubject(stream.stream_id, subject);
    expect([...stream.subjects]).toEqual([JSON.stringify(subject)]);
    await client.removeSubject(stream.stream_id, subject);
    expect(stream.subjects.size).toBe(0);
  });
});

describe('a transmitter', () => {
  const metadata = '/.well-known/ssf-configuration';

  it('of another name is not believed', async () => {
    await using world = await createWorld();
    const fetchOther = answering({
      [metadata]: { issuer: 'https://other.example', jwks_uri: 'https://other.example/jwks' },
    });
    await expect(clientOf(world, { fetch: fetchOther }).metadata()).rejects.toMatchObject({
      code: 'malformed',
      message: 'the metadata is that of another issuer',
    });
  });

  it('whose endpoints are not protected is not believed', async () => {
    await using world = await createWorld();
    const { url } = world.transmitter;
    for (const jwks_uri of ['http://keys.example/jwks', 'file:///etc/passwd', 7, undefined])
      await expect(
        clientOf(world, { fetch: answering({ [metadata]: { issuer: url, jwks_uri } }) }).metadata(),
      ).rejects.toMatchObject({ code: 'malformed' });
  });

  it('is asked for its metadata between host and path', async () => {
    const asked: string[] = [];
    const client = createStreamClient({
      issuer: 'https://idp.example/tenant/1',
      authorization: 'Bearer x',
      fetch: async (url) => {
        asked.push(String(url));
        return Response.json({});
      },
    });
    await expect(client.metadata()).rejects.toThrow();
    await expect(client.metadata()).rejects.toThrow();
    // What could not be had is asked for again.
    expect(asked).toEqual([
      'https://idp.example/.well-known/ssf-configuration/tenant/1',
      'https://idp.example/.well-known/ssf-configuration/tenant/1',
    ]);
  });

  it('that refuses, or answers what makes no sense, is told of', async () => {
    await using world = await createWorld();
    await expect(clientOf(world).status('nobody')).rejects.toMatchObject({
      code: 'refused',
      status: 404,
    });
    const odd = clientOf(world, { fetch: answering({ '/status': { status: 'asleep' } }) });
    await expect(odd.status('x')).rejects.toMatchObject({ code: 'malformed' });
    const { url } = world.transmitter;
    const bare = clientOf(world, {
      fetch: answering({ [metadata]: { issuer: url, jwks_uri: `${url}/jwks` } }),
    });
    await expect(bare.verify('x')).rejects.toMatchObject({ code: 'malformed' });
  });
});

import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  createTestDirectory,
  createTestTransmitter,
  serveHandler,
  type TestTransmitter,
} from '../src/index.ts';

const revoked = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const subject = { format: 'opaque', id: 'ana' };

let transmitter: TestTransmitter;
beforeEach(async () => {
  transmitter = await createTestTransmitter();
});
afterEach(() => transmitter.close());

function manage(path: string, method: string, body?: object): Promise<Response> {
  return fetch(`${transmitter.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${transmitter.managementToken}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

it('pushes what a stream asked for, with the credentials it was given', async () => {
  const received: { authorization: string | null; token: string }[] = [];
  await using receiver = await serveHandler(async (request) => {
    received.push({
      authorization: request.headers.get('authorization'),
      token: await request.text(),
    });
    return new Response(null, { status: 202 });
  });
  const created = await manage('/streams', 'POST', {
    events_requested: [revoked],
    delivery: {
      method: 'urn:ietf:rfc:8935',
      endpoint_url: receiver.url,
      authorization_header: 'Bearer x',
    },
  });
  expect(created.status).toBe(201);
  expect(await transmitter.send({ type: revoked, subject })).toEqual([{ status: 202, body: '' }]);
  expect(await transmitter.send({ type: 'https://events.example/other', subject })).toEqual([]);
  const [only] = received;
  expect(only?.authorization).toBe('Bearer x');
  expect(decodeProtectedHeader(only?.token ?? '').typ).toBe('secevent+jwt');
  expect(decodeJwt(only?.token ?? '')).toMatchObject({ iss: transmitter.url, sub_id: subject });
});

it('keeps what is to be polled until it is acknowledged or refused', async () => {
  const stream = await (await manage('/streams', 'POST', { events_requested: [revoked] })).json();
  const { endpoint_url: endpoint } = (stream as { delivery: { endpoint_url: string } }).delivery;
  const path = new URL(endpoint).pathname;
  for (const jti of ['1', '2', '3']) await transmitter.send({ type: revoked, subject, jti });
  const poll = async (body: object) => Object(await (await manage(path, 'POST', body)).json());
  const first = await poll({ maxEvents: 2 });
  expect([Object.keys(first.sets), first.moreAvailable]).toEqual([['1', '2'], true]);
  const next = await poll({ ack: ['1'], setErrs: { 2: { err: 'invalid_key' } } });
  expect(Object.keys(next.sets)).toEqual(['3']);
  expect(transmitter.streams[0]?.refused.get('2')).toEqual({ err: 'invalid_key' });
});

it('lets nobody manage streams without its token, and says what is wrong with a request', async () => {
  expect((await fetch(`${transmitter.url}/streams`)).status).toBe(401);
  expect((await manage('/streams', 'POST', { events_requested: 'all' })).status).toBe(400);
  expect(
    (await manage('/streams', 'POST', { delivery: { method: 'carrier pigeon' } })).status,
  ).toBe(400);
  expect((await manage('/status', 'POST', { stream_id: 'nobody' })).status).toBe(404);
  expect((await manage('/subjects/add', 'POST', { stream_id: 'nobody' })).status).toBe(404);
});

it('serves a directory that can be away in three ways', async () => {
  await using directory = await createTestDirectory();
  directory.user('ana');
  const ask = (): Promise<unknown> =>
    fetch(`${directory.scimUrl}/Users/ana`, { signal: AbortSignal.timeout(500) }).then(
      ({ status }) => status,
      (error: Error) => error.name,
    );
  expect(await ask()).toBe(200);
  directory.outage = 'failing';
  expect(await ask()).toBe(503);
  directory.outage = 'refused';
  expect(await ask()).toBe('TypeError');
  directory.outage = 'silent';
  expect(await ask()).toBe('TimeoutError');
  expect(directory.asked).toBe(4);
});

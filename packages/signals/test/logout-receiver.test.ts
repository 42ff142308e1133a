import { createSetSigner, type SetSigner, type SigningChoices } from '@outlive/testing';
import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createLogoutReceiver,
  eventTypes,
  type LogoutReceiverOptions,
  type ReceiverProblem,
} from '../src/index.ts';
import { aliceThere, createWorld, type World } from './world.ts';

const issuer = 'https://op.example';
const clientId = 'agents-app';
const now = (): number => Math.floor(Date.now() / 1000);

let world: World;
let signer: SetSigner;
beforeAll(async () => {
  world = await createWorld();
  signer = await createSetSigner();
  const alice = { subject: 'alice' };
  for (const [format, id] of [
    ['iss_sub', aliceThere],
    ['session', 'sid-1'],
  ] as const)
    await world.outlive.directory.link({ directory: issuer, format, id }, alice);
});
afterAll(() => world[Symbol.asyncDispose]());

function receiver(more: Partial<LogoutReceiverOptions> = {}) {
  const { outlive } = world;
  return createLogoutReceiver({
    outlive,
    issuer,
    audience: clientId,
    jwks: signer.jwks as never,
    reactions: { [eventTypes.backChannelLogout]: 'pause' },
    ...more,
  });
}

function claims(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    iss: issuer,
    aud: clientId,
    iat: now(),
    exp: now() + 120,
    jti: crypto.randomUUID(),
    sub: aliceThere,
    events: { [eventTypes.backChannelLogout]: {} },
    ...change,
  };
}

async function sign(change?: Readonly<Record<string, unknown>>, choices?: SigningChoices) {
  return signer.sign(claims(change), { header: { typ: 'logout+jwt' }, ...choices });
}

function form(token: string, more = ''): Request {
  return new Request('https://app.example/logout', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `logout_token=${token}${more}`,
  });
}

async function lift(): Promise<void> {
  await world.outlive.reportUserState(
    { subject: 'alice' },
    { state: 'active', source: issuer, at: Date.now() + 100_000 },
  );
}

describe('a logout', () => {
  it('stops whoever is linked to its subject, or to its session', async () => {
    for (const change of [{}, { sub: undefined, sid: 'sid-1' }, { sid: 'unknown' }]) {
      await world.outlive.reportUserState(
        { subject: 'alice' },
        { state: 'active', source: issuer, at: 0 },
      );
      const response = await receiver()(form(await sign(change)));
      expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
      expect(await world.state()).toBe('paused');
    }
    await lift();
    expect(await world.state()).toBe('active');
  });

  it('has only the gates asked again unless the app says otherwise', async () => {
    const plain = createLogoutReceiver({
      outlive: world.outlive,
      issuer,
      audience: clientId,
      jwks: signer.jwks as never,
    });
    expect((await plain(form(await sign()))).status).toBe(200);
    expect(await world.state()).toBe('active');
  });

  it('may be typed as providers did before there was a type', async () => {
    for (const typ of ['JWT', undefined])
      expect((await receiver()(form(await sign({}, { header: { typ } })))).status).toBe(200);
    await lift();
  });
});

describe('a bad logout token', () => {
  const bad: readonly [string, () => Promise<Request>][] = [
    ['sent with GET', async () => new Request('https://app.example/logout')],
    [
      'sent as JSON',
      async () =>
        new Request('https://app.example/logout', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ logout_token: await sign() }),
        }),
    ],
    ['not there', async () => form('', '&x=y').clone()],
    ['sent twice', async () => form(await sign(), `&logout_token=${await sign()}`)],
    ['too large', async () => form(await sign({ padding: 'x'.repeat(70_000) }))],
    ['of another issuer', async () => form(await sign({ iss: 'https://other.example' }))],
    ['for another client', async () => form(await sign({ aud: 'another' }))],
    ['expired', async () => form(await sign({ iat: now() - 400, exp: now() - 300 }))],
    ['without an expiry', async () => form(await sign({ exp: undefined }))],
    ['issued tomorrow', async () => form(await sign({ iat: now() + 86_400, exp: now() + 90_000 }))],
    ['without a date', async () => form(await sign({ iat: undefined }))],
    ['without an id', async () => form(await sign({ jti: undefined }))],
    ['with a nonce, as ID tokens have', async () => form(await sign({ nonce: 'n' }))],
    ['with a nonce that is null', async () => form(await sign({ nonce: null }))],
    ['without events', async () => form(await sign({ events: undefined }))],
    [
      'with another event',
      async () => form(await sign({ events: { [eventTypes.sessionRevoked]: {} } })),
    ],
    [
      'with two events',
      async () =>
        form(
          await sign({
            events: { [eventTypes.backChannelLogout]: {}, [eventTypes.sessionRevoked]: {} },
          }),
        ),
    ],
    [
      'with an event that says something',
      async () => form(await sign({ events: { [eventTypes.backChannelLogout]: { x: 1 } } })),
    ],
    [
      'with an event that is null',
      async () => form(await sign({ events: { [eventTypes.backChannelLogout]: null } })),
    ],
    ['about nobody', async () => form(await sign({ sub: undefined }))],
    ['about a number', async () => form(await sign({ sub: 7 }))],
    [
      'typed as a security event',
      async () => form(await sign({}, { header: { typ: 'secevent+jwt' } })),
    ],
    ['typed as an access token', async () => form(await sign({}, { header: { typ: 'at+jwt' } }))],
    [
      'signed by another key',
      async () => form(await sign({}, { key: (await generateKeyPair('RS256')).privateKey })),
    ],
    [
      'not signed',
      async () =>
        form(
          `${btoa('{"alg":"none"}').replaceAll('=', '')}.${btoa(JSON.stringify(claims())).replaceAll('=', '')}.`,
        ),
    ],
  ];

  it.each(bad)('%s is refused, and changes nothing', async (_name, request) => {
    const before = await world.records();
    const response = await receiver()(await request());
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: 'invalid_request' });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await world.records()).toEqual(before);
    expect(await world.state()).toBe('active');
  });

  it('is not what a token is whose keys cannot be had: it may be sent again', async () => {
    const { outlive } = world;
    const problems: ReceiverProblem[] = [];
    const away = createLogoutReceiver({
      outlive,
      issuer,
      audience: clientId,
      fetch: () => Promise.reject(new TypeError('fetch failed')),
      onProblem: (problem) => problems.push(problem),
    });
    expect((await away(form(await sign()))).status).toBe(503);
    expect(problems).toMatchObject([{ kind: 'unavailable', source: issuer }]);
    // Anybody may send one: what is refused must fill nobody's log.
    expect((await away(form('garbage'))).status).toBe(400);
    expect(problems).toHaveLength(1);
  });
});

import { createFakeClock } from '@outlive/testing';
import { expect, it } from 'vitest';
import { grantActivity } from '../src/grant-activity.ts';
import type { GrantRecord, GrantState } from '../src/grant-record.ts';
import { memoryStore, Secret } from '../src/index.ts';
import { createRecords } from '../src/records.ts';
import { createSealer } from '../src/sealing.ts';
import { alice } from './world.ts';

const key = 'grant of alice';
const index = { kind: 'grant' } as const;
const refreshing = { status: 'refreshing', attempt: {} } as unknown as GrantState;
const idle: GrantState = { status: 'idle' };

type Answer = 'active' | 'inactive' | 'unknown';

/** A grant whose refresh token is `token`, and an issuer that is asked with `probe`. */
function setUp(probe: (token: string) => Answer | Promise<Answer>) {
  const clock = createFakeClock();
  const records = createRecords({ store: memoryStore(), sealer: createSealer(undefined) });
  const write = async (token: string | undefined, state: GrantState): Promise<void> => {
    const value = {
      ...(token === undefined ? {} : { refreshToken: new Secret(token) }),
      state,
    } as GrantRecord;
    await records.swap(key, await records.version(key), value, index);
  };
  const issuer = { probe: (token: Secret) => probe(token.reveal()) };
  const runtime = {
    records,
    clock,
    grants: { key: async () => key },
    providers: new Map([['p', { issuer }]]),
  };
  const ask = () => grantActivity(runtime as never, alice, 'p');
  return { clock, write, ask };
}

it('is what the issuer says of the current refresh token', async () => {
  for (const answer of ['active', 'inactive', 'unknown'] as const) {
    const { write, ask } = setUp(() => answer);
    await write('1', idle);
    expect(await ask()).toBe(answer);
  }
});

it('is none without a grant, and without a refresh token', async () => {
  const { write, ask } = setUp(() => 'inactive');
  expect(await ask()).toBe('none');
  await write(undefined, idle);
  expect(await ask()).toBe('none');
});

it('is unknown at a provider that nobody configured', async () => {
  const { records, clock } = { records: undefined, clock: undefined };
  const runtime = { records, clock, grants: undefined, providers: new Map() };
  expect(await grantActivity(runtime as never, alice, 'p')).toBe('unknown');
});

it('waits for a rotation under way: the old token is inactive without meaning anything', async () => {
  const asked: string[] = [];
  const { clock, write, ask } = setUp((token) => {
    asked.push(token);
    return token === '2' ? 'active' : 'inactive';
  });
  await write('1', refreshing);
  const answer = ask();
  await clock.advance(250);
  await write('2', idle);
  await clock.advance(100);
  expect(await answer).toBe('active');
  expect(asked).toContain('1');
});

it('does not believe an answer about a token that was rotated meanwhile', async () => {
  const asked: string[] = [];
  const setting = setUp(async (token) => {
    asked.push(token);
    if (token === '2') return 'active';
    await setting.write('2', idle);
    return 'inactive';
  });
  await setting.write('1', idle);
  const answer = setting.ask();
  await setting.clock.advance(100);
  expect(await answer).toBe('active');
  expect(asked).toEqual(['1', '2']);
});

it('is unknown when a rotation does not end', async () => {
  const { clock, write, ask } = setUp(() => 'inactive');
  await write('1', refreshing);
  const answer = ask();
  await clock.advance(10_000);
  expect(await answer).toBe('unknown');
});

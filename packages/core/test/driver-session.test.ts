import { describe, expect, it } from 'vitest';
import { createSession, type Failure, type SessionParts } from '../src/driver.ts';
import { never } from './world.ts';

/** A session on connections that are numbers; everything may be repeated but a write, unless `parts` say otherwise. */
function setUp(parts: Partial<SessionParts<number>> = {}) {
  const released: [connection: number, failure: Failure | undefined][] = [];
  let connections = 0;
  const session = createSession<number>({
    server: 'Test',
    timeoutMs: 60_000,
    connect: async () => {
      connections += 1;
      return connections;
    },
    prepare: async () => undefined,
    release: (connection, failure) => released.push([connection, failure]),
    mayRepeat: ({ stage }) => stage !== 'write',
    errorFrom: ({ stage, error, isLate }) =>
      new Error(`${stage}${isLate ? ' late' : ''}: ${error}`),
    ...parts,
  });
  return { session, released };
}

/** Fails the first `times` times. */
function failing(times: number): (connection: number) => Promise<number> {
  let failed = 0;
  return async (connection) => {
    failed += 1;
    if (failed <= times) throw new Error('broken');
    return connection;
  };
}

describe('a session', () => {
  it('repeats a read on another connection, and gives back each one it had', async () => {
    const { session, released } = setUp();
    expect(await session.read(failing(2))).toBe(4);
    expect(released.map(([connection, failure]) => [connection, failure?.stage])).toEqual([
      [1, undefined],
      [2, 'read'],
      [3, 'read'],
      [4, undefined],
    ]);
  });

  it('does not repeat a write that may have been done', async () => {
    const { session, released } = setUp();
    await expect(session.write(failing(1))).rejects.toThrow('write: Error: broken');
    expect(released.at(-1)?.[1]).toMatchObject({ stage: 'write', isLate: false });
  });

  it('repeats the way to a connection for a write too: nothing was sent', async () => {
    const { session } = setUp({ connect: failing(3).bind(undefined, 7) });
    expect(await session.write(async (connection) => connection)).toBe(7);
  });

  it('counts the time from when the operation began to wait, if that was earlier', async () => {
    const { session } = setUp();
    await expect(session.write(never, performance.now() - 59_990)).rejects.toThrow('write late');
    await expect(session.read(never, performance.now() - 60_001)).rejects.toThrow('read late');
  });

  it('ends in time when no answer comes, and says so', async () => {
    const { session, released } = setUp({ timeoutMs: 30 });
    await session.read(async () => undefined);
    await expect(session.read(never)).rejects.toThrow('read late');
    expect(released.at(-1)?.[1]).toMatchObject({ stage: 'read', isLate: true });
  });

  it('prepares once for all, and again after it failed', async () => {
    let prepared = 0;
    const { session } = setUp({
      prepare: async () => {
        prepared += 1;
        if (prepared === 1) throw new Error('not yet');
      },
      mayRepeat: () => false,
    });
    const one = (): Promise<number> => session.read(async () => 1);
    const answers = await Promise.allSettled([one(), one()]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await Promise.all([one(), one(), one()])).toEqual([1, 1, 1]);
    expect(prepared).toBe(2);
  });

  it('takes nothing more once closed, and stops trying', async () => {
    const { session } = setUp();
    const reading = session.read(async () => {
      session.close();
      throw new Error('broken');
    });
    await expect(reading).rejects.toThrow('read: Error: broken');
    const closed = { name: 'StoreError', code: 'unavailable' };
    await expect(session.write(async () => 1)).rejects.toMatchObject(closed);
    expect(() => session.assertOpen()).toThrow('This Test store is closed; nothing was done.');
  });
});

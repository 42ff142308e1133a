import { describe, expect, it, vi } from 'vitest';
import {
  ConfigurationError,
  type DirectorySubject,
  eventMemoryMs,
  type Outlive,
  type Principal,
  type SubjectAction,
  type SubjectEvent,
} from '../src/index.ts';
import { alice, collect, createWorld, type ProcessOptions, reading } from './world.ts';

const directory = 'https://idp.example';
const name: DirectorySubject = { directory, format: 'iss_sub', id: '99beb27c' };
const mail: DirectorySubject = { directory, format: 'email', id: 'alice@example.com' };
const mary: Principal = { issuer: directory, subject: '99beb27c' };

function event(id: string, action: SubjectAction, more: Partial<SubjectEvent> = {}): SubjectEvent {
  return { id, source: directory, subjects: [name], action, occurredAt: 1000, ...more };
}

async function setUp(principal: Principal = alice, options: ProcessOptions = {}) {
  const world = await createWorld({ process: options });
  const process = world.start();
  await world.grant(process, { principal });
  const task = await world.task(process, { principal });
  await task.getAccessToken(reading);
  const state = async (): Promise<string> =>
    task.getAccessToken(reading).then(
      () => 'active',
      (error) => error.reason,
    );
  return { world, process, task, state, directory: process.outlive.directory };
}

async function statesAfter(
  outlive: Outlive,
  state: () => Promise<string>,
  events: readonly SubjectEvent[],
): Promise<string[]> {
  const states: string[] = [];
  for (const one of events) {
    await outlive.directory.receive(one);
    states.push(await state());
  }
  return states;
}

describe('an event of a directory', () => {
  it('stops the principals that are linked to its subject', async () => {
    const { world, directory: links, state } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    expect(await links.receive(event('1', 'revoke'))).toEqual({
      status: 'applied',
      principals: [alice],
    });
    expect(await state()).toBe('revoked');
  });

  it('stops the principal that carries the name of the directory', async () => {
    const { world, directory: links, state } = await setUp(mary);
    await using _ = world;
    expect(await links.receive(event('1', 'pause'))).toMatchObject({ status: 'applied' });
    expect(await state()).toBe('paused');
  });

  it('stops nobody of another tenant, nor of another directory', async () => {
    const { world, directory: links, state } = await setUp({ ...mary, tenant: 'acme' });
    await using _ = world;
    expect(await links.receive(event('1', 'revoke'))).toMatchObject({ status: 'unmatched' });
    expect(await links.receive(event('2', 'revoke', { tenant: 'other' }))).toMatchObject({
      status: 'unmatched',
    });
    const elsewhere = { ...name, directory: 'https://other.example' };
    expect(
      await links.receive(event('3', 'revoke', { tenant: 'acme', subjects: [elsewhere] })),
    ).toMatchObject({ status: 'unmatched' });
    expect(await state()).toBe('active');
    expect(await links.receive(event('4', 'revoke', { tenant: 'acme' }))).toMatchObject({
      status: 'applied',
    });
    expect(await state()).toBe('revoked');
  });

  it('does what its action says', async () => {
    const { world, process, state, directory: links } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    const actions = ['pause', 'reinstate', 'step_up', 'revoke', 'recheck', 'reinstate'] as const;
    const events = actions.map((action, at) => event(`${at}`, action, { occurredAt: at }));
    expect(await statesAfter(process.outlive, state, events)).toEqual([
      'paused',
      'active',
      'step_up',
      'revoked',
      'revoked',
      'active',
    ]);
  });

  it('that only asks for another look has the gate asked at once', async () => {
    const { world, state, directory: links } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    world.state = 'revoked';
    expect(await state()).toBe('active');
    await links.receive(event('1', 'recheck'));
    expect(await state()).toBe('revoked');
  });

  it('counts once, however often it comes', async () => {
    const { world, process, state, directory: links } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    const paused = event('1', 'pause');
    await links.receive(paused);
    await process.outlive.reportUserState(alice, { state: 'active', source: directory });
    expect(await links.receive(paused)).toEqual({ status: 'known', principals: [] });
    expect(await state()).toBe('active');
    // The same id of another source is another event.
    await links.receive({ ...paused, source: 'https://other.example' });
    expect(await state()).toBe('paused');
  });

  it('that was overtaken by a later one of its source changes nothing', async () => {
    const { world, process, state, directory: links } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    expect(
      await statesAfter(process.outlive, state, [
        event('late', 'revoke', { occurredAt: 2000 }),
        event('early', 'reinstate', { occurredAt: 1000 }),
        event('same second', 'reinstate', { occurredAt: 2000 }),
        event('after', 'reinstate', { occurredAt: 2001 }),
        event('same second again', 'revoke', { occurredAt: 2001 }),
      ]),
    ).toEqual(['revoked', 'revoked', 'revoked', 'active', 'revoked']);
  });

  it('of one source does not lift what another one said', async () => {
    const { world, process, state, directory: links } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    const other = 'https://other.example';
    expect(
      await statesAfter(process.outlive, state, [
        event('1', 'revoke'),
        event('2', 'reinstate', { source: other, occurredAt: 2000 }),
        event('3', 'reinstate', { occurredAt: 3000 }),
      ]),
    ).toEqual(['revoked', 'revoked', 'active']);
  });

  it('is gone on with by maintenance when its receiver died half way', async () => {
    const { world, process, state, directory: links } = await setUp();
    await using _ = world;
    await links.link(name, alice);
    const dying = world.start();
    dying.store.intercept((call, proceed) =>
      call.operation === 'compareAndSwap' && call.index?.kind === 'subject'
        ? new Promise(() => undefined)
        : proceed(),
    );
    dying.outlive.directory.receive(event('1', 'revoke')).catch(() => undefined);
    await vi.waitFor(async () => {
      const kept = await collect(world.store.list({ kind: 'event', status: 'pending' }));
      expect(kept).toHaveLength(1);
    });
    expect(await state()).toBe('active');
    world.clock.skip(10_001);
    await process.outlive.maintain();
    expect(await state()).toBe('revoked');
  });

  it('is applied when it is sent again after its receiver died half way', async () => {
    const { world, process, state } = await setUp();
    await using _ = world;
    await process.outlive.directory.link(name, alice);
    const dying = world.start();
    const interception = dying.store.intercept((call, proceed) =>
      call.operation === 'compareAndSwap' && call.index?.kind === 'subject'
        ? Promise.reject(new Error('the store is away'))
        : proceed(),
    );
    await expect(dying.outlive.directory.receive(event('1', 'revoke'))).rejects.toThrow('away');
    interception[Symbol.dispose]();
    expect(await dying.outlive.directory.receive(event('1', 'revoke'))).toMatchObject({
      status: 'applied',
    });
    await vi.waitFor(async () => expect(await state()).toBe('revoked'), 1000);
  });

  it('is forgotten when it is so old that it is not accepted any more', async () => {
    const { world, process, directory: links } = await setUp(mary);
    await using _ = world;
    await links.receive(event('1', 'pause'));
    world.clock.skip(eventMemoryMs - 1000);
    await process.outlive.maintain();
    expect(await links.receive(event('1', 'pause'))).toMatchObject({ status: 'known' });
    world.clock.skip(1001);
    await process.outlive.maintain();
    expect(await collect(world.store.list({ kind: 'event' }))).toEqual([]);
  });

  it('with a field that is wrong is refused by its name', async () => {
    const { world, directory: links } = await setUp();
    await using _ = world;
    const wrong: readonly [Partial<Record<keyof SubjectEvent, unknown>>, string][] = [
      [{ id: '' }, 'id'],
      [{ source: undefined }, 'source'],
      [{ action: 'delete' }, 'action'],
      [{ subjects: [{ ...name, format: '' }] }, 'subjects.0.format'],
      [{ occurredAt: 'now' }, 'occurredAt'],
    ];
    for (const [change, path] of wrong) {
      const error = await links.receive({ ...event('1', 'pause'), ...change } as SubjectEvent).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ConfigurationError);
      expect((error as ConfigurationError).paths).toContain(path);
    }
  });
});

describe('an event about nobody who is known', () => {
  it('is kept and told, and stops whoever is linked to it later', async () => {
    const { world, directory: links, state } = await setUp();
    await using _ = world;
    const about = event('1', 'revoke', { subjects: [mail], reason: 'left' });
    expect(await links.receive(about)).toEqual({ status: 'unmatched', principals: [] });
    expect(await collect(links.unmatched())).toMatchObject([{ id: '1', subjects: [mail] }]);
    await vi.waitFor(() =>
      expect(world.events.map(({ type }) => type)).toContain('signal-unmatched'),
    );
    expect(await state()).toBe('active');

    await links.link(mail, alice);
    expect(await state()).toBe('revoked');
    expect(await collect(links.unmatched())).toEqual([]);
  });

  it('is applied in the order in which it happened', async () => {
    const { world, directory: links, state } = await setUp();
    await using _ = world;
    await links.receive(event('2', 'reinstate', { subjects: [mail], occurredAt: 2000 }));
    await links.receive(event('1', 'revoke', { subjects: [mail], occurredAt: 1000 }));
    await links.link(mail, alice);
    expect(await state()).toBe('active');
    expect(await collect(links.unmatched())).toEqual([]);
  });

  it('holds for a principal whose grant comes later, where the directory names it', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    const { outlive } = process;
    expect(await outlive.directory.receive(event('1', 'revoke'))).toMatchObject({
      status: 'unmatched',
    });
    await world.grant(process, { principal: mary });
    await expect(world.task(process, { principal: mary })).rejects.toMatchObject({
      code: 'user_state',
      reason: 'revoked',
    });
  });

  it('is not lost between a link and its own arrival', async () => {
    const { world, process, directory: links, state } = await setUp();
    await using _ = world;
    const receiver = world.start();
    // The link is written after the receiver looked for links, and before it notes that there were none.
    let linked = false;
    receiver.store.intercept(async (call, proceed) => {
      if (!linked && call.operation === 'compareAndSwap' && call.index?.status === 'unmatched') {
        linked = true;
        await process.outlive.directory.link(mail, alice);
      }
      return proceed();
    });
    await receiver.outlive.directory.receive(event('1', 'revoke', { subjects: [mail] }));
    expect(linked).toBe(true);
    await vi.waitFor(async () => expect(await state()).toBe('revoked'), 1000);
    expect(await collect(links.unmatched())).toEqual([]);
  });

  it('is forgotten after the time that is configured, and the log tells', async () => {
    const {
      world,
      process,
      directory: links,
    } = await setUp(alice, {
      policy: { retention: { unmatchedEventsMs: 1000 } },
    });
    await using _ = world;
    await links.receive(event('1', 'revoke', { subjects: [mail] }));
    await process.outlive.maintain();
    expect(await collect(links.unmatched())).toHaveLength(1);
    world.clock.skip(1001);
    await process.outlive.maintain();
    expect(await collect(links.unmatched())).toEqual([]);
    await vi.waitFor(() =>
      expect(
        world.events
          .filter(({ type }) => type === 'signal-unmatched')
          .map(({ outcome }) => outcome),
      ).toEqual(['unmatched', 'forgotten']),
    );
  });

  it('waits for as long as it takes, until it is dismissed', async () => {
    const { world, process, directory: links } = await setUp();
    await using _ = world;
    await links.receive(event('1', 'revoke', { subjects: [mail] }));
    world.clock.skip(10 * eventMemoryMs);
    await process.outlive.maintain();
    expect(await collect(links.unmatched())).toHaveLength(1);
    await links.dismiss({ id: '1', source: directory }, 'ops');
    expect(await collect(links.unmatched())).toEqual([]);
    await expect(links.dismiss({ id: '1', source: directory }, 'ops')).rejects.toBeInstanceOf(
      ConfigurationError,
    );
  });
});

describe('a link', () => {
  it('stands for several principals, each once, until it is taken back', async () => {
    const { world, directory: links } = await setUp();
    await using _ = world;
    const bob = { subject: 'bob', tenant: 'acme' };
    for (const principal of [alice, bob, alice]) await links.link(mail, principal);
    const first = await links.receive(event('1', 'pause', { subjects: [mail, name] }));
    expect(first.principals).toHaveLength(2);
    await links.unlink(mail, alice);
    expect((await links.receive(event('2', 'pause', { subjects: [mail] }))).principals).toEqual([
      bob,
    ]);
  });
});

import { describe, expect, it, vi } from 'vitest';
import {
  alwaysActive,
  type Hold,
  type OutliveOptions,
  type Principal,
  type Task,
} from '../src/index.ts';
import { failSwaps } from './intercepted-store.ts';
import {
  alice,
  collect,
  createWorld,
  deleting,
  type Process,
  reading,
  type World,
  writing,
} from './world.ts';

/** A directory that can fall silent, and counts what it is asked. */
function createDirectory() {
  const directory = {
    isSilent: false,
    asked: 0,
    check: () => {
      directory.asked += 1;
      if (directory.isSilent) throw new Error('connect ECONNREFUSED');
      return 'active' as const;
    },
  };
  return directory;
}

const tasksInAll = 1000;
const principals: readonly Principal[] = Array.from({ length: 50 }, (_, at) => ({
  subject: `person ${at}`,
}));

/** A thousand active tasks of fifty people, in two processes that share one directory. */
async function thousandTasks() {
  const directory = createDirectory();
  const told: Hold[] = [];
  const process = {
    gate: [{ name: 'directory', check: directory.check }],
    onHold: (hold: Hold) => void told.push(hold),
  };
  const world = await createWorld();
  const processes = [world.start(process), world.start(process)] as const;
  for (const principal of principals)
    await processes[0].outlive.grants.import({
      provider: 'p',
      principal,
      tokens: { access_token: 'a', refresh_token: 'r', expires_in: 600, scope: 'read write admin' },
      issuedAt: world.clock.now(),
    });
  const tasks: Task[] = [];
  for (let at = 0; at < tasksInAll; at += 1)
    tasks.push(
      await world.task(processes[at % 2] as Process, {
        principal: principals[at % principals.length] as Principal,
      }),
    );
  await Promise.all(tasks.map((task) => task.getAccessToken(reading)));
  return { world, directory, told, processes, tasks };
}

/** Time passes while both processes maintain as they do in an app. */
async function pass(world: World, processes: readonly Process[], ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 15_000) {
    world.clock.skip(Math.min(15_000, left));
    for (const { outlive } of processes) await outlive.maintain();
  }
}

async function outcomes(calls: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counted: Record<string, number> = {};
  for (const result of await Promise.allSettled(calls)) {
    const name =
      result.status === 'fulfilled' ? 'ok' : `${result.reason.code}: ${result.reason.reason}`;
    counted[name] = (counted[name] ?? 0) + 1;
  }
  return counted;
}

function expectNothingMinted(world: World): void {
  expect(world.issuer.counters.refreshRequests).toBe(0);
  expect(world.events.filter(({ type }) => type === 'refresh-claimed')).toEqual([]);
}

/** One irreversible tool call of each task. */
function irreversibleCalls(tasks: readonly Task[]): Promise<Response>[] {
  return tasks.map((task) =>
    task
      .startRun()
      .call({ requirement: deleting, toolName: 'delete', toolCallId: 'c1', input: {} })
      .principal.fetch('items', { method: 'DELETE' }),
  );
}

function holdEvents(world: World): string[] {
  return world.events.flatMap(({ type }) => (type.startsWith('hold-') ? [type] : []));
}

describe('a directory that falls silent under a thousand tasks', { timeout: 300_000 }, () => {
  it('for three seconds: one hold, nobody told, irreversible calls refused at once, all go on after it', async () => {
    const { world, directory, told, processes, tasks } = await thousandTasks();
    await using _ = world;
    // So that every token falls due meanwhile.
    world.clock.skip(465_000);
    await pass(world, processes, 5000);
    directory.isSilent = true;
    directory.asked = 0;
    // The next revalidation notices.
    await pass(world, processes, 15_000);
    expect(await collect(processes[1].outlive.holds())).toMatchObject([{ source: 'directory' }]);

    expect(await outcomes(tasks.map((task) => task.getAccessToken(reading)))).toEqual({ ok: 1000 });
    expect(await outcomes(tasks.map((task) => task.getAccessToken(writing)))).toEqual({ ok: 1000 });
    expect(await outcomes(irreversibleCalls(tasks))).toEqual({ 'user_state: unknown': 1000 });
    // Fifty people and thousands of calls, and the directory was left alone.
    expect(directory.asked).toBeLessThan(20);

    await pass(world, processes, 3000);
    // Asking for an explanation writes out what is left of the audit log.
    for (const { outlive } of processes) await outlive.explain('nothing');
    expectNothingMinted(world);
    directory.isSilent = false;
    await pass(world, processes, 5000);
    expect(await collect(processes[0].outlive.holds())).toEqual([]);
    await vi.waitFor(
      () => expect(holdEvents(world)).toEqual(['hold-opened', 'hold-ended']),
      30_000,
    );
    expect(told).toEqual([]);

    const pauses = await collect(processes[0].outlive.waitingPauses());
    expect(pauses).toHaveLength(1000);
    for (const pause of pauses) {
      expect(pause).toMatchObject({ status: 'decided', requires: [] });
      expect(await processes[1].outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
    }
    expect(await outcomes(tasks.map((task) => task.getAccessToken(deleting)))).toEqual({
      ok: 1000,
    });
  });

  it('for ten minutes: one hold, one word to who runs it, nothing minted, and all go on after it', async () => {
    const { world, directory, told, processes, tasks } = await thousandTasks();
    await using _ = world;
    directory.isSilent = true;
    directory.asked = 0;
    await pass(world, processes, 125_000);
    // Nothing is tolerated any more.
    expect(await outcomes(tasks.map((task) => task.getAccessToken(writing)))).toEqual({
      'user_state: unknown': 1000,
    });
    const calls = tasks.map((task) =>
      task
        .startRun()
        .call({ requirement: reading, toolName: 'read', toolCallId: 'c1', input: {} })
        .principal.fetch('items'),
    );
    expect(await outcomes(calls)).toEqual({ 'user_state: unknown': 1000 });
    // Past the life of every token.
    await pass(world, processes, 475_000);
    expect(directory.asked).toBeLessThan(200);
    expectNothingMinted(world);
    expect(told).toMatchObject([{ source: 'directory', status: 'open' }]);

    directory.isSilent = false;
    await pass(world, processes, 5000);
    await vi.waitFor(
      () => expect(holdEvents(world)).toEqual(['hold-opened', 'hold-ended']),
      30_000,
    );
    expect(told).toHaveLength(1);
    const results = [];
    for await (const pause of processes[0].outlive.waitingPauses()) {
      expect(pause.requires).toEqual([]);
      results.push((await processes[0].outlive.resume(pause.id)).status);
    }
    expect(results).toHaveLength(1000);
    expect(new Set(results)).toEqual(new Set(['resumed']));
  });
});

describe('a silent source', () => {
  async function oneTask(
    gate: OutliveOptions['gate'],
    options: Pick<OutliveOptions, 'onHold'> = {},
  ) {
    const world = await createWorld();
    const process = world.start({ gate, ...options });
    await world.grant(process);
    const task = await world.task(process);
    await task.getAccessToken(reading);
    return { world, process, task };
  }

  it('is asked by one caller a second, and by nobody in between', async () => {
    const directory = createDirectory();
    const { world, task } = await oneTask([{ name: 'directory', check: directory.check }]);
    await using _ = world;
    directory.isSilent = true;
    world.clock.skip(30_000);
    for (let call = 0; call < 20; call += 1)
      await expect(task.getAccessToken(deleting)).rejects.toMatchObject({ reason: 'unknown' });
    directory.asked = 0;
    for (let second = 0; second < 5; second += 1) {
      world.clock.skip(1000);
      await Promise.allSettled(Array.from({ length: 20 }, () => task.getAccessToken(deleting)));
    }
    expect(directory.asked).toBe(5);
  });

  it('lets calls go on with the next answer, without waiting for maintenance', async () => {
    const directory = createDirectory();
    const { world, process, task } = await oneTask([{ name: 'directory', check: directory.check }]);
    await using _ = world;
    directory.isSilent = true;
    world.clock.skip(30_000);
    for (let call = 0; call < 4; call += 1)
      await expect(task.getAccessToken(deleting)).rejects.toThrow();
    await vi.waitFor(async () => expect(await collect(process.outlive.holds())).toHaveLength(1));
    directory.isSilent = false;
    world.clock.skip(1000);
    expect((await task.getAccessToken(deleting)).generation).toBe(0);
    await vi.waitFor(async () => expect(await collect(process.outlive.holds())).toEqual([]));
  });

  it('does not hold up the others: what they forbid is forbidden', async () => {
    const directory = createDirectory();
    let other: 'active' | 'revoked' = 'active';
    const { world, task } = await oneTask([
      { name: 'directory', check: directory.check },
      { name: 'other', check: () => other },
    ]);
    await using _ = world;
    directory.isSilent = true;
    other = 'revoked';
    world.clock.skip(30_000);
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ reason: 'revoked' });
  });

  it('that does answer, with unknown, is not held: it speaks of one person', async () => {
    let state: 'active' | 'unknown' = 'active';
    const { world, process, task } = await oneTask([{ name: 'directory', check: () => state }]);
    await using _ = world;
    state = 'unknown';
    world.clock.skip(30_000);
    for (let call = 0; call < 5; call += 1)
      await expect(task.getAccessToken(deleting)).rejects.toThrow();
    expect(await collect(process.outlive.holds())).toEqual([]);
  });

  it('is on hold also where the store could not be told at first', async () => {
    const directory = createDirectory();
    const { world, process, task } = await oneTask([{ name: 'directory', check: directory.check }]);
    await using _ = world;
    using away = failSwaps(process.store, ({ kind }) => kind === 'hold', {
      when: 'before',
      times: 1,
    });
    directory.isSilent = true;
    world.clock.skip(30_000);
    for (let call = 0; call < 4; call += 1)
      await expect(task.getAccessToken(deleting)).rejects.toThrow();
    await vi.waitFor(() => expect(away.failed).toBe(1));
    expect(await collect(process.outlive.holds())).toEqual([]);
    await process.outlive.maintain();
    expect(await collect(process.outlive.holds())).toHaveLength(1);
  });

  it('is told of again where telling failed, and then not any more', async () => {
    const directory = createDirectory();
    let told = 0;
    const onHold = () => {
      told += 1;
      if (told === 1) throw new Error('the pager is away');
    };
    const { world, process, task } = await oneTask(
      [{ name: 'directory', check: directory.check }],
      { onHold },
    );
    await using _ = world;
    directory.isSilent = true;
    world.clock.skip(30_000);
    for (let call = 0; call < 4; call += 1)
      await expect(task.getAccessToken(deleting)).rejects.toThrow();
    await vi.waitFor(async () => expect(await collect(process.outlive.holds())).toHaveLength(1));
    world.clock.skip(60_000);
    await expect(process.outlive.maintain()).rejects.toThrow('could not be done');
    for (let round = 0; round < 3; round += 1) {
      world.clock.skip(5000);
      await process.outlive.maintain();
    }
    expect(told).toBe(2);
  });
});

describe('a source that does not know everybody', () => {
  const people = {
    name: 'people',
    check: () => 'revoked' as const,
    appliesTo: ({ subject }: Principal) => subject !== 'robot',
  };

  it('is asked only about those it knows', async () => {
    const world = await createWorld();
    await using _ = world;
    const services = {
      name: 'services',
      check: alwaysActive,
      appliesTo: ({ subject }: Principal) => subject === 'robot',
    };
    const process = world.start({ gate: [people, services] });
    const principal = { subject: 'robot' };
    await world.grant(process, { principal });
    await world.task(process, { principal });
    await world.grant(process);
    await expect(world.task(process, { principal: alice })).rejects.toMatchObject({
      reason: 'revoked',
    });
  });

  it('leaves those whom no source knows unknown', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ gate: [people] });
    const principal = { subject: 'robot' };
    await world.grant(process, { principal });
    await expect(world.task(process, { principal })).rejects.toMatchObject({ reason: 'unknown' });
  });
});

import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Journal, Secret } from '../src/index.ts';
import { type FileJournalOptions, fileJournal, type JournalProblem } from '../src/node.ts';
import { temporaryFolder } from './temporary-folder.ts';
import {
  ask,
  graceMs,
  patienceMs,
  tinyJournal,
  tokenAfterPatience,
  vanish,
} from './vanished-owner.ts';
import {
  alice,
  createLatch,
  createWorld,
  type Process,
  reading,
  untilUnusableMs,
  type World,
} from './world.ts';

const keys = { current: 'k', ring: { k: randomBytes(32) } };

/** Makes the journals of processes that share a disk. */
function createDisk() {
  const directory = join(temporaryFolder(), 'journal');
  const problems: JournalProblem[] = [];
  return {
    problems,
    journal: (more: Partial<FileJournalOptions> = {}) =>
      fileJournal({ directory, keys, onProblem: (problem) => problems.push(problem), ...more }),
    files: () => readdirSync(directory).filter((name) => name !== 'host'),
    write: (name: string, text: string) => writeFileSync(join(directory, name), text),
  };
}

/** Asks for a token; the process stops when the pair is about to be stored. */
async function stopBeforeStoring(world: World, process: Process) {
  const task = await world.task(process);
  world.clock.skip(untilUnusableMs);
  const reached = createLatch();
  const go = createLatch();
  process.store.intercept(async (call, proceed) => {
    if (call.operation !== 'compareAndSwap' || call.index?.status !== 'idle') return proceed();
    reached.open();
    await go.opened;
    return proceed();
  });
  const token = task.getAccessToken(reading);
  await reached.opened;
  return { task, token, go };
}

async function untilAdopted(world: World): Promise<void> {
  await vi.waitFor(async () =>
    expect(await world.grantRecord()).toMatchObject({ generation: 1, state: { status: 'idle' } }),
  );
}

/** What the log says of a type of event, once everything is written. */
async function reasons(world: World, { outlive }: Process, type: string): Promise<unknown[]> {
  await outlive.verify('none');
  return world.events.filter((event) => event.type === type).map(({ reason }) => reason);
}

describe('a pair that a dead process left in the journal', () => {
  it('is stored when a process starts on the same host, and nobody waits', async () => {
    const disk = createDisk();
    const setting = await vanish(
      { at: 'before storing' },
      { lost: { journal: disk.journal() }, other: { journal: disk.journal() } },
    );
    await using world = setting.world;
    await untilAdopted(world);

    expect((await setting.task.getAccessToken(reading)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    await vi.waitFor(() => expect(disk.files()).toEqual([]));
    await setting.task.getAccessToken(reading, { rejectedGeneration: 1 });
    expect(world.presented(setting.grantId)).toEqual([1, 1, 0]);
  });

  it('is stored by the maintenance of a process that was there before', async () => {
    const disk = createDisk();
    await using world = await createWorld();
    const other = world.start({ journal: disk.journal() });
    const lost = world.start({ journal: disk.journal() });
    const grantId = await world.grant(lost);
    const { token } = await stopBeforeStoring(world, lost);
    token.catch(() => undefined);
    lost.kill();

    expect(await other.outlive.maintain()).toMatchObject({ pairsAdopted: 1 });
    expect(await other.outlive.maintain()).toMatchObject({ pairsAdopted: 0 });
    await untilAdopted(world);
    expect(disk.files()).toEqual([]);
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect(await reasons(world, other, 'refresh-recovered')).toEqual([
      'the journal of this host holds the response',
    ]);
  });

  it('brings back a grant that another host has given up meanwhile', async () => {
    const disk = createDisk();
    const setting = await vanish(
      { at: 'before storing' },
      { lost: { journal: disk.journal() }, profile: { whenInDoubt: 'reauthorize' } },
    );
    await using world = setting.world;
    const { token } = await ask(setting);
    world.clock.skip(patienceMs + graceMs);
    await expect(token).rejects.toMatchObject({ reason: 'in_doubt' });
    expect((await world.grantRecord()).state.status).toBe('dead');

    world.start({ journal: disk.journal() });
    await untilAdopted(world);
    expect((await setting.task.getAccessToken(reading)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is not taken over a rejection: the issuer has ended the grant', async () => {
    const disk = createDisk();
    const setting = await vanish({ at: 'before storing' }, { lost: { journal: disk.journal() } });
    await using world = setting.world;
    const { token } = await ask(setting);
    world.clock.skip(patienceMs + graceMs);
    await expect(token).rejects.toMatchObject({ reason: 'rejected' });

    const late = world.start({ journal: disk.journal() });
    await late.outlive.maintain();
    expect((await world.grantRecord()).state).toMatchObject({ status: 'dead', death: 'rejected' });
    expect(disk.files()).toEqual([]);
    expect(await reasons(world, late, 'refresh-abandoned')).toEqual([
      expect.stringContaining('the grant had moved on'),
    ]);
  });
});

describe('an owner that is not dead after all', () => {
  it('finds its own result in the store, and goes on with it', async () => {
    const disk = createDisk();
    await using world = await createWorld();
    const owner = world.start({ journal: disk.journal() });
    const grantId = await world.grant(owner);
    const { task, token, go } = await stopBeforeStoring(world, owner);
    const other = world.start({ journal: disk.journal() });
    await untilAdopted(world);
    const adopted = await world.grantRecord();

    go.open();
    expect((await token).generation).toBe(1);
    expect(await world.grantRecord()).toEqual(adopted);
    expect(await reasons(world, owner, 'refresh-abandoned')).toEqual([]);
    expect((await task.getAccessToken(reading, { rejectedGeneration: 1 })).generation).toBe(2);
    expect(world.presented(grantId)).toEqual([1, 1, 0]);
    expect(disk.files()).toEqual([]);
    expect(await other.outlive.maintain()).toMatchObject({ pairsAdopted: 0 });
  });

  it('adopts what others have made of the pair since', async () => {
    const disk = createDisk();
    await using world = await createWorld();
    const owner = world.start({ journal: disk.journal() });
    const grantId = await world.grant(owner);
    const { task, token, go } = await stopBeforeStoring(world, owner);
    const other = world.start({ journal: disk.journal() });
    await untilAdopted(world);
    const there = await other.outlive.task(task.id);
    expect((await there?.getAccessToken(reading, { rejectedGeneration: 1 }))?.generation).toBe(2);

    go.open();
    expect((await token).generation).toBe(2);
    expect((await world.grantRecord()).generation).toBe(2);
    expect(world.presented(grantId)).toEqual([1, 1, 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  });
});

describe('an entry that is left over', () => {
  it('goes without a word when its pair is the one in the store', async () => {
    const disk = createDisk();
    await using world = await createWorld();
    const journal = disk.journal();
    const lost = world.start({
      journal: {
        host: journal.host,
        write: (attemptId, body, grantKey) => journal.write(attemptId, body, grantKey),
        read: (attemptId) => journal.read(attemptId),
        erase: () => Promise.reject(new Error('the process died')),
      },
    });
    await world.grant(lost);
    const task = await world.task(lost);
    world.clock.skip(untilUnusableMs);
    await task.getAccessToken(reading);
    expect(disk.files()).toHaveLength(1);

    const other = world.start({ journal: disk.journal() });
    expect(await other.outlive.maintain()).toMatchObject({ pairsAdopted: 0 });
    expect(disk.files()).toEqual([]);
    expect(await reasons(world, other, 'refresh-abandoned')).toEqual([]);
  });

  it('is erased and told of when the grant has another pair; the issuer is not asked to revoke it', async () => {
    const disk = createDisk();
    const setting = await vanish({ at: 'before storing' }, { lost: { journal: disk.journal() } });
    await using world = setting.world;
    const newer = await world.grant(setting.other, { replace: true });
    const replaced = await world.grantRecord();

    const late = world.start({ journal: disk.journal() });
    await late.outlive.maintain();
    expect(disk.files()).toEqual([]);
    expect(await reasons(world, late, 'refresh-abandoned')).toEqual([
      expect.stringContaining('it was erased'),
    ]);
    expect(await world.grantRecord()).toEqual(replaced);
    for (const grantId of [newer, setting.grantId])
      expect(world.issuer.grant(grantId).alive).toBe(true);
  });

  it('is set aside when its grant is not in this store', async () => {
    const disk = createDisk();
    await using world = await createWorld();
    await disk.journal().write('one', new Secret('{"access_token":"a"}'), 'grant|elsewhere');
    const process = world.start({ journal: disk.journal() });
    await process.outlive.maintain();
    expect(disk.files()).toEqual(['one.entry.set-aside']);
    expect(disk.problems).toMatchObject([
      { message: expect.stringContaining('its grant is not in this store') },
    ]);
  });
});

describe('a journal entry that nobody can read', () => {
  for (const [what, damage] of [
    ['is sealed with another key', undefined],
    ['is torn', 'v1.k.AAAA'],
  ] as const)
    it(`${what}: it is set aside, told of, and the next rule decides`, async () => {
      const disk = createDisk();
      const wrong = { current: 'k', ring: { k: randomBytes(32) } };
      const lost = disk.journal(damage === undefined ? { keys: wrong } : {});
      const setting = await vanish(
        { at: 'before storing' },
        { lost: { journal: lost }, profile: { probe: true } },
      );
      await using world = setting.world;
      const [name = ''] = disk.files();
      if (damage !== undefined) disk.write(name, damage);
      const other = world.start({ journal: disk.journal() });
      const task = await other.outlive.task(setting.task.id);
      if (task === undefined) throw new Error('the task is gone');

      await expect(tokenAfterPatience({ ...setting, other, task })).rejects.toMatchObject({
        reason: 'rotated_pair_lost',
      });
      expect(disk.files()).toEqual([`${name}.set-aside`]);
      expect(disk.problems).toHaveLength(1);
      expect(await reasons(world, other, 'refresh-in-doubt')).toContainEqual(
        expect.stringMatching(/the journal could not be read: .* was set aside/),
      );
      expect(world.presented(setting.grantId)).toEqual([1, 0]);
    });

  for (const [what, read] of [
    ['fails', () => Promise.reject(new Error('EIO'))],
    ['hangs', () => new Promise<never>(() => undefined)],
  ] as const)
    it(`since the disk ${what}, is waited for in some rounds of recovery, and not for ever`, async () => {
      const { journal } = tinyJournal('disk');
      const broken: Journal = { ...journal, read };
      const setting = await vanish(
        { at: 'before storing' },
        { lost: { journal }, other: { journal: broken }, profile: { probe: true } },
      );
      await using world = setting.world;
      for (const _round of [1, 2]) {
        await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ code: 'in_doubt' });
        expect(world.issuer.counters.introspections).toBe(0);
      }
      await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
        reason: 'rotated_pair_lost',
      });
      expect(await reasons(world, setting.other, 'refresh-in-doubt')).toContainEqual(
        expect.stringContaining('the journal could not be read'),
      );
    });

  it('keeps maintenance from nothing else', async () => {
    const { journal } = tinyJournal('disk');
    await using world = await createWorld();
    const entries = (): Promise<never> => Promise.reject(new Error('EIO'));
    const process = world.start({ journal: { ...journal, entries } });
    await world.grant(process, { principal: alice });
    const task = await world.task(process, { expectedDurationMs: 1000 });
    world.clock.skip(10_000);
    await expect(process.outlive.maintain()).rejects.toMatchObject({
      errors: [new Error('EIO')],
    });
    expect((await process.outlive.task(task.id))?.status).toBe('expired');
  });
});

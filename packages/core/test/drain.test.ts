import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { fileJournal } from '../src/node.ts';
import { failSwaps } from './intercepted-store.ts';
import { temporaryFolder } from './temporary-folder.ts';
import {
  alice,
  createLatch,
  createWorld,
  type ProcessOptions,
  reading,
  untilUnusableMs,
} from './world.ts';

const grant = { provider: 'p', principal: alice, account: 'default' };

/** A process whose one grant needs a refresh. */
async function setUp(options: ProcessOptions = {}) {
  const world = await createWorld();
  const process = world.start(options);
  const grantId = await world.grant(process);
  const task = await world.task(process);
  world.clock.skip(untilUnusableMs);
  return { world, process, grantId, task };
}

/** Resolves when the request has come to the issuer, which answers when the latch is opened. */
function holdIssuer({ world }: Awaited<ReturnType<typeof setUp>>) {
  const arrived = createLatch();
  const answer = createLatch();
  world.issuer.fault(async () => {
    arrived.open();
    await answer.opened;
    return undefined;
  });
  return { arrived, answer };
}

describe('closing a runtime', () => {
  it('finishes the refresh under way, and leaves nothing', async () => {
    const setting = await setUp();
    await using world = setting.world;
    const { arrived, answer } = holdIssuer(setting);
    const token = setting.task.getAccessToken(reading);
    await arrived.opened;
    const closed = setting.process.outlive.close();
    answer.open();

    expect(await closed).toEqual({ unfinished: [] });
    expect((await token).generation).toBe(1);
    expect(await world.grantRecord()).toMatchObject({ generation: 1, state: { status: 'idle' } });
  });

  it('begins no further refresh while it waits', async () => {
    const setting = await setUp();
    await using world = setting.world;
    const { arrived, answer } = holdIssuer(setting);
    const first = setting.task.getAccessToken(reading);
    await arrived.opened;
    const second = setting.task.getAccessToken(reading, { rejectedGeneration: 1 });
    const closed = setting.process.outlive.close();
    answer.open();

    await expect(second).rejects.toMatchObject({ code: 'cancelled' });
    await closed;
    await first;
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('says which refresh the issuer has not answered in time, and lets it go on', async () => {
    const setting = await setUp();
    await using world = setting.world;
    const { arrived, answer } = holdIssuer(setting);
    const token = setting.task.getAccessToken(reading);
    await arrived.opened;

    expect(await setting.process.outlive.close({ withinMs: 50 })).toEqual({
      unfinished: [{ ...grant, holdsPair: false }],
    });
    expect(world.events).toContainEqual(
      expect.objectContaining({
        type: 'refresh-in-doubt',
        reason: 'the process was closed before the issuer had answered',
      }),
    );
    answer.open();
    expect((await token).generation).toBe(1);
    expect((await world.grantRecord()).generation).toBe(1);
  });

  it('says which new pair the store has not taken in time, and keeps trying', async () => {
    const setting = await setUp();
    await using world = setting.world;
    const { store, outlive } = setting.process;
    const down = failSwaps(store, ({ status }) => status === 'idle', {
      when: 'before',
      times: Number.POSITIVE_INFINITY,
    });
    const token = setting.task.getAccessToken(reading);
    await vi.waitFor(() => expect(down.failed).toBeGreaterThan(0));

    expect(await outlive.close({ withinMs: 50 })).toEqual({
      unfinished: [{ ...grant, holdsPair: true }],
    });
    expect(world.events).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining('held a pair') }),
    );
    down[Symbol.dispose]();
    expect((await token).generation).toBe(1);
    expect(await outlive.close()).toEqual({ unfinished: [] });
  });

  it('counts a pair as held from the moment it arrives, also while a slow disk writes it', async () => {
    const writing = createLatch();
    const written = createLatch();
    const setting = await setUp({
      journal: {
        host: 'h',
        write() {
          writing.open();
          return written.opened;
        },
        read: async () => undefined,
        erase: async () => undefined,
      },
    });
    await using _world = setting.world;
    const token = setting.task.getAccessToken(reading);
    await writing.opened;
    expect(await setting.process.outlive.close({ withinMs: 0 })).toEqual({
      unfinished: [{ ...grant, holdsPair: true }],
    });
    written.open();
    expect((await token).generation).toBe(1);
  });

  it('leaves a pair that it could not store to the journal: the next start adopts it', async () => {
    const directory = join(temporaryFolder(), 'journal');
    const options = { directory, keys: 'unsealed' } as const;
    const setting = await setUp({ journal: fileJournal(options) });
    await using world = setting.world;
    const { store, outlive, kill } = setting.process;
    const down = failSwaps(store, ({ status }) => status === 'idle', {
      when: 'before',
      times: Number.POSITIVE_INFINITY,
    });
    setting.task.getAccessToken(reading).catch(() => undefined);
    await vi.waitFor(() => expect(down.failed).toBeGreaterThan(0));
    const { unfinished } = await outlive.close({ withinMs: 50 });
    expect(unfinished).toMatchObject([{ holdsPair: true }]);
    kill();

    world.start({ journal: fileJournal(options) });
    await vi.waitFor(async () => expect((await world.grantRecord()).generation).toBe(1));
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is bounded also where the store hangs', async () => {
    const setting = await setUp();
    await using _world = setting.world;
    const { store, outlive } = setting.process;
    const reached = createLatch();
    const back = createLatch();
    store.intercept(async (call, proceed) => {
      if (call.operation === 'compareAndSwap' && call.index?.kind === 'grant') reached.open();
      if (call.operation === 'compareAndSwap' || call.operation === 'append') await back.opened;
      return proceed();
    });
    const token = setting.task.getAccessToken(reading);
    await reached.opened;
    const { unfinished } = await outlive.close({ withinMs: 50 });
    back.open();
    expect(unfinished).toMatchObject([{ holdsPair: false }]);
    await Promise.allSettled([token]);
  });

  it('refuses a bound that is none, and stays open', async () => {
    const setting = await setUp();
    await using _world = setting.world;
    const { outlive } = setting.process;
    for (const withinMs of [-1, Number.NaN, 2 ** 31, '1' as never])
      await expect(outlive.close({ withinMs })).rejects.toMatchObject({ paths: ['withinMs'] });
    expect((await setting.task.getAccessToken(reading)).generation).toBe(1);
  });
});

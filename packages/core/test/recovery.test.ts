import { describe, expect, it, vi } from 'vitest';
import {
  ask,
  looksAgain,
  patienceMs,
  tinyJournal,
  tokenAfterPatience,
  vanish,
} from './vanished-owner.ts';
import { never, type Process, reading, type World } from './world.ts';

describe('an attempt whose owner vanished', () => {
  it('is left alone until this process has seen it unchanged for the whole wait', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    const { token } = await ask(setting);
    world.clock.skip(patienceMs - 2000);
    await looksAgain(setting);
    expect(world.presented(setting.grantId)).toEqual([0]);
    expect((await world.grantRecord()).state.status).toBe('refreshing');
    world.clock.skip(2000);
    expect((await token).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is named in the audit log with its process by whoever recovers it', async () => {
    const setting = await vanish({ at: 'after presenting' }, { profile: { probe: true } });
    await using world = setting.world;
    const { state } = await world.grantRecord();
    const lost = state.status === 'refreshing' ? state.attempt : undefined;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      reason: 'rotated_pair_lost',
    });
    await vi.waitFor(() =>
      expect(world.events).toContainEqual(
        expect.objectContaining({
          type: 'refresh-in-doubt',
          attempt: lost?.id,
          reason: `process ${lost?.owner} claimed it and did not settle it`,
        }),
      ),
    );
  });

  it('is told, and the end of its grant too, by whoever meets that once the one who recovered it has died untold', async () => {
    const setting = await vanish({ at: 'after presenting' }, { profile: { probe: true } });
    await using world = setting.world;
    const { state } = await world.grantRecord();
    const lost = state.status === 'refreshing' ? state.attempt : undefined;
    setting.other.store.intercept((call, proceed) =>
      call.operation === 'append' ? never() : proceed(),
    );
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      reason: 'rotated_pair_lost',
    });
    setting.other.kill();
    const ended = (): unknown[] => world.events.filter(({ type }) => type === 'grant-died');
    expect(ended()).toEqual([]);

    world.clock.skip(6000);
    const task = await world.start().outlive.task(setting.task.id);
    for (const _ of ['once', 'and again'])
      await expect(task?.getAccessToken(reading)).rejects.toMatchObject({
        reason: 'rotated_pair_lost',
      });
    await vi.waitFor(() =>
      expect(ended()).toEqual([expect.objectContaining({ code: 'rotated_pair_lost' })]),
    );
    expect(world.events.filter(({ type }) => type === 'refresh-in-doubt')).toEqual([
      expect.objectContaining({
        attempt: lost?.id,
        reason: `process ${lost?.owner} claimed it and did not settle it`,
      }),
    ]);
  });

  it.each<[string, (other: Process, world: World, taskId: string) => Promise<void>]>([
    [
      'starts another task',
      async (other, world) => {
        await expect(world.task(other)).rejects.toMatchObject({ reason: 'rotated_pair_lost' });
      },
    ],
    [
      'resumes its task',
      async ({ outlive }, _world, taskId) => {
        const pause = await (await outlive.task(taskId))?.pause('by hand');
        await outlive.decide(pause?.id ?? '', { decision: 'resume', by: 'alice' });
        expect(await outlive.resume(pause?.id ?? '')).toMatchObject({ status: 'waiting' });
      },
    ],
  ])('is told, and the end of its grant too, by whoever %s', async (_name, meet) => {
    const setting = await vanish({ at: 'after presenting' }, { profile: { probe: true } });
    await using world = setting.world;
    setting.other.store.intercept((call, proceed) =>
      call.operation === 'append' ? never() : proceed(),
    );
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      reason: 'rotated_pair_lost',
    });
    setting.other.kill();
    world.clock.skip(6000);

    await meet(world.start(), world, setting.task.id);

    await vi.waitFor(() =>
      expect(world.events.map(({ type }) => type)).toEqual(
        expect.arrayContaining(['refresh-in-doubt', 'grant-died']),
      ),
    );
  });

  it('is settled with the response that its journal holds', async () => {
    const { journal, entries } = tinyJournal('disk');
    const setting = await vanish(
      { at: 'before storing' },
      { lost: { journal }, other: { journal } },
    );
    await using world = setting.world;
    expect(entries.size).toBe(1);

    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(entries.size).toBe(0);
    await setting.task.getAccessToken(reading, { rejectedGeneration: 1 });
    expect(world.presented(setting.grantId)).toEqual([1, 1, 0]);
  });

  it('waits a grace for the disk that may hold the response', async () => {
    const { journal } = tinyJournal('their disk');
    const setting = await vanish(
      { at: 'before storing' },
      { lost: { journal }, profile: { probe: true } },
    );
    await using world = setting.world;
    const { token } = await ask(setting);
    world.clock.skip(patienceMs + 50_000);
    await looksAgain(setting);
    expect((await world.grantRecord()).state.status).toBe('refreshing');

    world.clock.skip(20_000);
    await expect(token).rejects.toMatchObject({ reason: 'rotated_pair_lost' });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is made again where the issuer does not rotate', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { issuer: { rotate: false }, profile: { rotation: 'none' } },
    );
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([2]);
  });

  it('is made again where the issuer says that the token was not used', async () => {
    const setting = await vanish({ at: 'before sending' }, { profile: { probe: true } });
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(world.issuer.counters.introspections).toBe(1);
  });

  it('is given up where a strict issuer says that the token was used', async () => {
    const setting = await vanish({ at: 'after presenting' }, { profile: { probe: true } });
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'rotated_pair_lost',
    });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
    expect(world.issuer.grant(setting.grantId).alive).toBe(true);
  });

  it('is made again where the token stays valid until its child is used', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { issuer: { reuse: 'untilChildUsed' }, profile: { rotation: 'untilChildUsed' } },
    );
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.issuer.grant(setting.grantId)).toEqual({ alive: true, generations: 2 });
    expect(world.presented(setting.grantId)).toEqual([2, 0, 0]);
  });

  it('is made again within the leeway of the issuer', async () => {
    const leewayMs = 3_600_000;
    const setting = await vanish(
      { at: 'after presenting' },
      { issuer: { reuse: { leewayMs } }, profile: { rotation: 'leeway', leewayMs } },
    );
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.issuer.grant(setting.grantId).alive).toBe(true);
    expect(world.presented(setting.grantId)[0]).toBe(2);
  });

  it('is not made again once the leeway has passed, where the policy is to ask the person', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { profile: { rotation: 'leeway', leewayMs: 10_000, whenInDoubt: 'reauthorize' } },
    );
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ reason: 'in_doubt' });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('is made again once where nobody can tell: that saves the person a sign-in if it was not used', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    expect((await tokenAfterPatience(setting)).generation).toBe(1);
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });

  it('ends the grant where it was used after all, which costs no more than asking the person', async () => {
    const setting = await vanish({ at: 'after presenting' });
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'rejected',
    });
    expect(world.presented(setting.grantId)[0]).toBe(2);
  });

  it('is not made a third time: in doubt again, the person is asked', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    using _lost = world.issuer.fault(() => ({ fault: 'dropBefore' }));
    const { token } = await ask(setting);
    world.clock.skip(patienceMs);
    await vi.waitFor(() => expect(world.presented(setting.grantId)).toEqual([1]));
    await looksAgain(setting);
    world.clock.skip(patienceMs);

    await expect(token).rejects.toMatchObject({
      code: 'reauthorization_required',
      reason: 'in_doubt',
    });
    expect(world.presented(setting.grantId)).toEqual([1]);
  });

  it('stays in doubt where the second presentation was certainly not processed, and is made later', async () => {
    const setting = await vanish({ at: 'before sending' });
    await using world = setting.world;
    const busy = world.issuer.fault(() => ({ fault: 'status', status: 429 }));
    const { token } = await ask(setting);
    world.clock.skip(patienceMs);
    await vi.waitFor(() => expect(world.presented(setting.grantId)).toEqual([1]));
    await looksAgain(setting);
    const { principal } = setting.task;
    expect(await setting.other.outlive.grants.find({ provider: 'p', principal })).toMatchObject({
      status: 'recovering',
    });
    busy[Symbol.dispose]();
    world.clock.skip(patienceMs);

    expect((await token).generation).toBe(1);
    expect(world.issuer.grant(setting.grantId).alive).toBe(true);
  });

  it('is given up at once where the policy is to ask the person', async () => {
    const setting = await vanish(
      { at: 'after presenting' },
      { profile: { whenInDoubt: 'reauthorize' } },
    );
    await using world = setting.world;
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ reason: 'in_doubt' });
    expect(world.presented(setting.grantId)).toEqual([1, 0]);
  });
});

import { describe, expect, it, vi } from 'vitest';
import { stoppedTask, taskWithCall } from './paused-task.ts';
import { collect, never, reading } from './world.ts';

describe('a resumption', () => {
  async function decided() {
    const setting = await stoppedTask();
    await setting.process.outlive.decide(setting.pause.id, { decision: 'resume', by: 'root' });
    return setting;
  }

  it('waits while the gate still says no, and goes on when it does not', async () => {
    const { world, process, pause, task } = await decided();
    await using _ = world;
    world.turn('revoked');
    expect(await process.outlive.resume(pause.id)).toMatchObject({
      status: 'waiting',
      because: 'gate says revoked',
    });
    expect(task.status).toBe('paused');
    world.state = 'active';
    expect(await process.outlive.resume(pause.id)).toEqual({ status: 'resumed', taskId: task.id });
    expect((await task.getAccessToken(reading)).generation).toBe(0);
  });

  it('waits while the grant is dead, and goes on when there is another', async () => {
    const { world, process, pause } = await decided();
    await using _ = world;
    const other = await world.task(process);
    world.issuer.user('alice').active = false;
    await expect(other.getAccessToken(reading, { rejectedGeneration: 0 })).rejects.toThrow();
    expect(await process.outlive.resume(pause.id)).toMatchObject({
      status: 'waiting',
      because: expect.stringMatching(/p must be authorized again/),
    });
    await world.grant(process);
    expect(await process.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('asks only for the grants that are needed: none, where a person declined what waited', async () => {
    const { world, process, pause } = await decided();
    await using _ = world;
    const other = await world.task(process);
    world.issuer.user('alice').active = false;
    await expect(other.getAccessToken(reading, { rejectedGeneration: 0 })).rejects.toThrow();
    expect(await process.outlive.resume(pause.id, { resources: ['api'] })).toMatchObject({
      status: 'waiting',
    });
    world.turn('revoked');
    expect(await process.outlive.resume(pause.id, { resources: [] })).toMatchObject({
      status: 'waiting',
    });
    world.turn('active');
    expect(await process.outlive.resume(pause.id, { resources: [] })).toMatchObject({
      status: 'resumed',
    });
    await expect(other.getAccessToken(reading)).rejects.toMatchObject({
      code: 'reauthorization_required',
    });
  });

  it('makes the task active once, whoever asks at the same time', async () => {
    const { world, process, pause, task } = await decided();
    await using _ = world;
    const processes = [process, world.start(), world.start()];
    const all = Promise.all(
      Array.from({ length: 9 }, (_, at) => processes[at % 3]?.outlive.resume(pause.id)),
    );
    expect(new Set((await all).map((result) => result?.status))).toEqual(new Set(['resumed']));
    const { entries } = await process.outlive.explain(task.id);
    expect(entries.filter(({ type }) => type === 'task-resumed')).toHaveLength(1);
    expect(await process.outlive.pause(pause.id)).toMatchObject({ status: 'consumed' });
    expect(await process.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('in a process that has not heard of the pause yet leaves nothing behind', async () => {
    const { world, task } = await taskWithCall();
    await using _ = world;
    const other = world.start();
    const same = await other.outlive.task(task.id);
    await same?.getAccessToken(reading);
    const pause = await task.pause('a moment');
    const pauseId = pause?.id ?? '';

    expect(same?.status).toBe('active');
    await other.outlive.decide(pauseId, { decision: 'resume', by: 'alice' });
    expect(await other.outlive.resume(pauseId)).toMatchObject({ status: 'resumed' });
    expect((await world.start().outlive.task(task.id))?.status).toBe('active');
  });

  /** Another process claims the pause and dies before the task is active. */
  async function claimedAndLeft() {
    const setting = await decided();
    const other = setting.world.start();
    other.store.intercept((store, proceed) =>
      store.operation === 'compareAndSwap' && store.index?.kind === 'task' ? never() : proceed(),
    );
    other.outlive.resume(setting.pause.id).catch(() => undefined);
    await vi.waitFor(async () =>
      expect(await setting.process.outlive.pause(setting.pause.id)).toMatchObject({
        status: 'claimed',
      }),
    );
    other.kill();
    return setting;
  }

  it('is taken over from a process that died in the middle of it', async () => {
    const { world, process, pause, task } = await claimedAndLeft();
    await using _ = world;
    const third = world.start({ policy: { claimWaitMs: 200 } });
    expect(await third.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
    expect((await world.start().outlive.task(task.id))?.status).toBe('active');
    expect(await process.outlive.pause(pause.id)).toMatchObject({ status: 'consumed' });
  });

  it('is still found among those that wait when its process died', async () => {
    const { world, process, pause } = await claimedAndLeft();
    await using _ = world;
    const waiting = await collect(process.outlive.waitingPauses());
    expect(waiting.map(({ id }) => id)).toEqual([pause.id]);
  });

  it('asks the gate also when it is taken over', async () => {
    const { world, pause, task } = await claimedAndLeft();
    await using _ = world;
    world.turn('revoked');
    const third = world.start({ policy: { claimWaitMs: 200 } });
    expect(await third.outlive.resume(pause.id)).toMatchObject({
      status: 'waiting',
      because: 'gate says revoked',
    });
    expect((await world.start().outlive.task(task.id))?.status).toBe('paused');
  });

  it('of a pause that nobody has decided waits for those who must', async () => {
    const { world, process, pause } = await stoppedTask();
    await using _ = world;
    expect(await process.outlive.resume(pause.id)).toMatchObject({
      status: 'waiting',
      because: 'waits for admin',
    });
  });

  it('of a pause that is not there is a mistake of the caller', async () => {
    const { world, process } = await stoppedTask();
    await using _ = world;
    await expect(process.outlive.resume('no-such.pause')).rejects.toThrow(/pauseId: expected/);
  });
});

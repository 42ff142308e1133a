import { describe, expect, it, vi } from 'vitest';
import { failSwaps } from './intercepted-store.ts';
import { pausedTask, taskWithCall } from './paused-task.ts';
import { alice, collect, never, reading, writing } from './world.ts';

describe('a refused call', () => {
  it('pauses the task in the store before anybody is told', async () => {
    const { world, process, call, task } = await taskWithCall();
    await using _ = world;
    world.turn('revoked');
    const told: string[] = [];
    const write = process.store.intercept(async (store, proceed) => {
      const done = await proceed();
      if (store.operation === 'compareAndSwap') told.push(`${store.index?.kind} durable`);
      return done;
    });
    const error = await call.principal.fetch('items').catch((thrown: unknown) => {
      told.push('error');
      return thrown;
    });
    write[Symbol.dispose]();

    expect(told).toEqual(['task durable', 'pause durable', 'call durable', 'error']);
    const elsewhere = await world.start().outlive.task(task.id);
    expect(elsewhere?.status).toBe('paused');
    expect(error).toMatchObject({ ref: elsewhere?.currentPause?.id });
  });

  it('says why, for which call, and who is asked, but nothing of that in the error', async () => {
    const { world, pause, call } = await pausedTask('irreversible');
    await using _ = world;
    expect(pause).toMatchObject({
      status: 'open',
      reason: { code: 'step_up_required', recovery: 'user', acrValues: ['mfa'] },
      call: {
        toolCallId: 'c1',
        toolName: 'items',
        resource: 'api',
        scopes: ['admin'],
        effect: 'irreversible',
      },
      requires: ['user', 'admin'],
      confirmedBy: [],
    });
    const { message } = (await call.principal
      .fetch('items')
      .catch((error: Error) => error)) as Error;
    expect(message).toBe(`[auth:step_up_required ref=${pause.id}] A stronger sign-in is required.`);
  });

  it('cannot be kept quiet by a tool that catches the error', async () => {
    const { world, call, run } = await pausedTask();
    await using _ = world;
    expect(await call.settle({ ok: true })).toMatchObject({ code: 'step_up_required' });
    expect(run.halted).toBe(true);
    expect((await run.finish()).status).toBe('paused');
  });

  it('opens one pause, however many calls of the task are refused', async () => {
    const { world, run, process, call } = await taskWithCall();
    await using _ = world;
    world.turn('paused');
    const others = Array.from({ length: 20 }, (_, at) =>
      run.call({ requirement: writing, toolName: 'items', toolCallId: `o${at}`, input: {} }),
    );
    const errors = await Promise.all(
      [call, ...others].map((one) =>
        one.principal.fetch('items').catch((error: { ref?: string }) => error),
      ),
    );
    const refs = new Set(errors.map((error) => 'ref' in error && error.ref));
    expect(refs.size).toBe(1);
    expect(await collect(process.outlive.waitingPauses())).toHaveLength(1);
  });

  it('stops the run with an error of its own, where the pause cannot be recorded', async () => {
    const { world, process, call, run } = await taskWithCall();
    await using _ = world;
    world.turn('revoked');
    using _away = failSwaps(process.store, ({ kind }) => kind === 'task', {
      when: 'before',
      times: 1,
    });
    await expect(call.principal.fetch('items')).rejects.toMatchObject({ code: 'user_state' });
    expect(run.halted).toBe(true);
    expect(await run.finish()).toMatchObject({ status: 'failed', error: { code: 'user_state' } });
  });
});

describe('a process that dies right after it has paused its task', () => {
  it('loses no pause: whoever looks at it, or for it, finds it', async () => {
    const { world, process, task, call } = await taskWithCall();
    await using _ = world;
    world.turn('revoked');
    process.store.intercept((store, proceed) =>
      store.index?.kind === 'pause' ? never() : proceed(),
    );
    call.principal.fetch('items').catch(() => undefined);
    await vi.waitFor(() => expect(task.status).toBe('paused'));
    process.kill();

    const other = world.start();
    const waiting = await collect(other.outlive.waitingPauses());
    const pauseId = (await other.outlive.task(task.id))?.currentPause?.id ?? '';
    expect(waiting.map(({ id }) => id)).toEqual([pauseId]);
    expect(await other.outlive.pause(pauseId)).toMatchObject({ status: 'open' });
    world.state = 'active';
    expect(await other.outlive.decide(pauseId, { decision: 'resume', by: 'root' })).toMatchObject({
      status: 'decided',
    });
    expect(await other.outlive.resume(pauseId)).toMatchObject({ status: 'resumed' });
  });
});

describe('a pause that nobody decides', () => {
  it('expires with its task, by maintenance', async () => {
    const { world, process, pause, task } = await pausedTask('read', {
      policy: { pauseExpiresMs: 60_000 },
    });
    await using _ = world;
    world.clock.skip(59_000);
    expect(await process.outlive.maintain()).toMatchObject({ pausesExpired: 0 });
    world.clock.skip(1001);
    expect(await process.outlive.maintain()).toMatchObject({ pausesExpired: 1 });
    expect(await process.outlive.pause(pause.id)).toMatchObject({ status: 'expired' });
    expect((await world.start().outlive.task(task.id))?.status).toBe('expired');
    expect(await process.outlive.maintain()).toMatchObject({ pausesExpired: 0 });
    expect(
      await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' }),
    ).toMatchObject({ status: 'closed' });
  });

  it('expires in the background too', async () => {
    const { world, task } = await pausedTask('read', { policy: { pauseExpiresMs: 60_000 } });
    await using _ = world;
    world.start({ policy: { maintainMs: 1000 } });
    world.clock.skip(61_000);
    await vi.waitFor(async () =>
      expect((await world.start().outlive.task(task.id))?.status).toBe('expired'),
    );
  });
});

describe('a task that the app pauses itself', () => {
  it('gives no token until it is resumed, and waits for its user', async () => {
    const { world, process, task } = await taskWithCall();
    await using _ = world;
    const pause = await task.pause('quota');
    expect(pause).toMatchObject({ reason: { code: 'task_paused', reason: 'quota' } });
    expect(pause?.call).toBeUndefined();
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'task_paused',
      ref: pause?.id,
    });
    const pauseId = pause?.id ?? '';
    await process.outlive.decide(pauseId, { decision: 'resume', by: 'alice' });
    await process.outlive.resume(pauseId);
    expect((await task.getAccessToken(reading)).generation).toBe(0);
  });

  it('has another pause the second time', async () => {
    const { world, process, task } = await taskWithCall();
    await using _ = world;
    const first = await task.pause('quota');
    expect(await task.pause('quota again')).toEqual(first);
    await process.outlive.decide(first?.id ?? '', { decision: 'resume', by: 'alice' });
    await process.outlive.resume(first?.id ?? '');
    const second = await task.pause('quota');
    expect(second?.id).not.toBe(first?.id);
    await task.complete();
    expect(task.status).toBe('paused');
  });

  it('cannot be paused once it has ended', async () => {
    const { world, process } = await taskWithCall();
    await using _ = world;
    const task = await world.task(process, { principal: alice });
    await task.complete();
    expect(await task.pause('late')).toBeUndefined();
  });
});

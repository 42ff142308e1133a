import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  createLatch,
  createWorld,
  lifetimeMs,
  never,
  reading,
  untilDueMs,
  untilUnusableMs,
} from './world.ts';

describe('a caller of getAccessToken', () => {
  it('is served a usable token also when the platform takes no background work', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({
      waitUntil: () => {
        throw new Error('the request is over');
      },
    });
    await world.grant(process);
    const task = await world.task(process);
    await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);
    expect((await task.getAccessToken(reading)).generation).toBe(0);
  });

  it('stops waiting for the store, too, when it aborts', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const task = await world.task(process);
    using _hung = process.store.intercept((call, proceed) =>
      call.operation === 'append' ? proceed() : never(),
    );
    world.clock.skip(untilUnusableMs);
    const caller = new AbortController();
    const token = task.getAccessToken(reading, { signal: caller.signal });
    caller.abort();
    await expect(token).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('gets no token that expired while its pair could not be stored', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ policy: { maxWaitMs: 100 * lifetimeMs } });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    const reached = createLatch();
    const go = createLatch();
    let once = true;
    using _late = process.store.intercept(async (call, proceed) => {
      if (
        once &&
        call.operation === 'compareAndSwap' &&
        call.index?.kind === 'grant' &&
        call.index.status === 'idle'
      ) {
        once = false;
        reached.open();
        await go.opened;
      }
      return proceed();
    });
    const token = task.getAccessToken(reading);
    await reached.opened;
    world.clock.skip(lifetimeMs + 1000);
    go.open();
    const got = await token;
    expect(world.clock.now()).toBeLessThan(got.expiresAt);
  });

  it('is refused where tokens always expire before they can be stored, and no pair is lost', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ policy: { maxWaitMs: 100 * lifetimeMs } });
    const grantId = await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    using _late = process.store.intercept(async (call, proceed) => {
      const { operation, index } = call;
      if (operation === 'compareAndSwap' && index?.kind === 'grant' && index.status === 'idle')
        world.clock.skip(lifetimeMs + 1000);
      return proceed();
    });
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'issuer_unavailable',
    });
    expect(world.presented(grantId)).toEqual([1, 1, 0]);
    expect((await world.grantRecord()).generation).toBe(2);
  });

  it('gets no token that expired while the store was asked whether the task may still have one', async () => {
    const world = await createWorld();
    await using _ = world;
    let moment: 'before' | 'refreshed' | 'asked' = 'before';
    const process = world.start({
      policy: { maxWaitMs: 100 * lifetimeMs },
      gate(_principal, context) {
        if (context.moment === 'response' && moment === 'before') {
          // Longer than this process may believe what it has heard of stops.
          world.clock.skip(1500);
          moment = 'refreshed';
        }
        return world.state;
      },
    });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    using _late = process.store.intercept(async (call, proceed) => {
      if (moment === 'refreshed' && call.operation === 'read') {
        // The process stands still while it asks, as a machine that sleeps does.
        moment = 'asked';
        world.clock.skip(lifetimeMs + 1000);
      }
      return proceed();
    });
    const got = await task.getAccessToken(reading);
    expect(moment).toBe('asked');
    expect(world.clock.now()).toBeLessThan(got.expiresAt);
  });

  it('starts no refresh in a runtime that is closed', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    const grantId = await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    await process.outlive.close();
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'cancelled' });
    expect(world.presented(grantId)).toEqual([0]);
  });
});

it('waiting keeps a process alive, which may hold a new pair', async () => {
  const clock = new URL('../src/clock.ts', import.meta.url);
  const script = `import { sleep, systemClock } from '${clock}';
    await sleep(systemClock, 20); console.log('waited');`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    script,
  ]);
  expect(stdout.trim()).toBe('waited');
});

import { describe, expect, it, vi } from 'vitest';
import { pausedTask } from './paused-task.ts';
import { createLatch, createWorld, never, reading } from './world.ts';

describe('maintenance', () => {
  it('goes on past a record that cannot be opened', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const first = await world.task(process, { expectedDurationMs: 1000 });
    const second = await world.task(process, { expectedDurationMs: 2000 });
    world.clock.skip(10_000);
    using _broken = process.store.intercept(async (call, proceed) => {
      if (call.operation === 'get' && call.key.includes(first.id))
        throw new Error('cannot be opened');
      return proceed();
    });
    await process.outlive.maintain().catch((e: unknown) => e);
    const other = world.start();
    expect((await other.outlive.task(second.id))?.status).toBe('expired');
  });

  it('ends with the runtime, also when that is closed in the middle of a round', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ policy: { maintainMs: 50 } });
    const reached = createLatch();
    const go = createLatch();
    process.store.intercept(async (call, proceed) => {
      if (call.operation !== 'list') return proceed();
      reached.open();
      await go.opened;
      return proceed();
    });
    await reached.opened;
    const closed = process.outlive.close();
    go.open();
    await closed;
    const before = process.store.calls.length;
    world.clock.skip(1000);
    for (const _turn of [1, 2, 3]) await new Promise((resolve) => setTimeout(resolve));
    expect(process.store.calls.length).toBe(before);
  });
});

describe('a pause', () => {
  it('that was cancelled by a process that died is finished by the next word', async () => {
    const { world, process, task, pause } = await pausedTask();
    await using _ = world;
    const other = world.start();
    other.store.intercept((call, proceed) =>
      call.operation === 'compareAndSwap' && call.index?.kind === 'task' ? never() : proceed(),
    );
    void other.outlive.decide(pause.id, { decision: 'cancel', by: 'alice' });
    await vi.waitFor(async () =>
      expect((await process.outlive.pause(pause.id))?.status).toBe('cancelled'),
    );
    other.kill();
    await process.outlive.decide(pause.id, { decision: 'cancel', by: 'alice' });
    expect((await process.outlive.task(task.id))?.status).toBe('cancelled');
  });

  it('that was cancelled by a process that died is finished by maintenance', async () => {
    const { world, process, task, pause } = await pausedTask();
    await using _ = world;
    const other = world.start();
    other.store.intercept((call, proceed) =>
      call.operation === 'compareAndSwap' && call.index?.kind === 'task' ? never() : proceed(),
    );
    void other.outlive.decide(pause.id, { decision: 'cancel', by: 'alice' });
    await vi.waitFor(async () =>
      expect((await process.outlive.pause(pause.id))?.status).toBe('cancelled'),
    );
    other.kill();
    world.clock.skip(10_000);
    await process.outlive.maintain();
    expect((await process.outlive.task(task.id))?.status).toBe('cancelled');
  });

  it('is not lost with an escalation policy that throws', async () => {
    const { world, task } = await pausedTask('read', {
      policy: {
        escalate: () => {
          throw new Error('bug');
        },
      },
    });
    await using _ = world;
    expect(task.currentPause).toMatchObject({ status: 'open', requires: ['operator'] });
  });

  it('can be cancelled by a person who has confirmed it', async () => {
    const { world, process, pause, task } = await pausedTask('irreversible');
    await using _ = world;
    await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
    expect(
      await process.outlive.decide(pause.id, { decision: 'cancel', by: 'alice' }),
    ).toMatchObject({ status: 'decided' });
    expect((await process.outlive.task(task.id))?.status).toBe('cancelled');
  });
});

describe('a task', () => {
  it('that is refused leaves no delegation behind', async () => {
    const world = await createWorld({ process: { resources: {} as never } });
    await using _ = world;
    const process = world.start({
      resources: {
        api: { provider: 'p', baseUrl: world.api.url, scopes: ['read', 'write', 'admin'] },
        other: { provider: 'p', baseUrl: world.api.url, scopes: ['beyond'] },
      },
    });
    await world.grant(process);
    await expect(
      world.task(process, {
        requirements: [reading, { resource: 'other', scopes: ['beyond'], effect: 'read' }],
      }),
    ).rejects.toMatchObject({ code: 'insufficient_scope' });
    const left = [];
    for await (const one of world.store.list({ kind: 'delegation' })) left.push(one);
    expect(left).toEqual([]);
  });

  it('that was given no scopes gets no token with all of them', async () => {
    const world = await createWorld({ process: { provider: { delegation: 'narrowedRefresh' } } });
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const requirement = { resource: 'api', scopes: [], effect: 'read' } as const;
    const started = await world
      .task(process, { requirements: [requirement] })
      .catch((e: unknown) => e);
    if (started instanceof Error) return;
    const token = await (started as Awaited<ReturnType<typeof world.task>>).getAccessToken(
      requirement,
    );
    expect(token.scopes).toEqual([]);
  });
});

import { createProtectedApi } from '@outlive/testing';
import { describe, expect, it, vi } from 'vitest';
import { createOutlive, memoryStore } from '../src/index.ts';
import { failSwaps } from './intercepted-store.ts';
import { pausedTask } from './paused-task.ts';
import { alice, createLatch, createWorld, never, reading, writing } from './world.ts';

describe('calls', () => {
  it('C1 a call of which another request is still under way cannot be run again', async () => {
    const world = await createWorld();
    await using _ = world;
    const go = createLatch();
    let arrived = 0;
    await using api = await createProtectedApi({
      issuer: world.issuer,
      routes: {
        'POST /slow': {
          scopes: ['write'],
          handle: async () => {
            arrived += 1;
            await go.opened;
            return Response.json({});
          },
        },
        'POST /admin': { scopes: ['nobody-has-this'], handle: () => Response.json({}) },
      },
    });
    const process = world.start({
      resources: { api: { provider: 'p', baseUrl: api.url, scopes: ['read', 'write', 'admin'] } },
    });
    await world.grant(process);
    const task = await world.task(process);
    const run = task.startRun();
    const call = run.call({ requirement: writing, toolName: 't', toolCallId: 'c1', input: {} });
    const slow = call.principal.fetch('slow', { method: 'POST' }).catch(() => undefined);
    await vi.waitFor(() => expect(arrived).toBe(1));
    const error = await call.principal.fetch('admin', { method: 'POST' }).catch((e: unknown) => e);
    await call.settle({ ok: false, error });
    expect(run.ledger[0]?.outcome).toBe('unknown');
    const end = await run.finish();
    if (end.status !== 'paused') throw new Error(end.status);
    await process.outlive.decide(end.pause.id, { decision: 'resume', by: 'alice' });
    await process.outlive.resume(end.pause.id);
    const again = await task
      .resumeRun({ runId: run.id, toolCallIds: ['c1'] })
      .catch((e: unknown) => e);
    go.open();
    await slow;
    expect((again as { resumableCalls: Set<string> }).resumableCalls?.size ?? 0).toBe(0);
  });

  it('C2 a resumption that cannot have all its calls gives back the others', async () => {
    const { world, process, task, run, pause } = await pausedTask('reversible');
    await using _ = world;
    await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
    await process.outlive.resume(pause.id);
    await expect(
      task.resumeRun({ runId: run.id, toolCallIds: ['c1', 'c2'] }),
    ).rejects.toMatchObject({ code: 'not_resumable' });
    expect((await task.resumeRun({ runId: run.id, toolCallIds: ['c1'] })).resumableCalls.size).toBe(
      1,
    );
  });

  it('C3 a reservation that landed without saying so is not lost', async () => {
    const { world, process, task, run, pause } = await pausedTask('reversible');
    await using _ = world;
    await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
    await process.outlive.resume(pause.id);
    using _lost = failSwaps(process.store, ({ kind }) => kind === 'call', {
      when: 'after',
      times: 1,
    });
    expect((await task.resumeRun({ runId: run.id, toolCallIds: ['c1'] })).resumableCalls.size).toBe(
      1,
    );
  });

  it('C6 a record that cannot be opened does not keep maintenance from the others', async () => {
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

  it('C7 a closed runtime does no more background work, also when it was closed in the middle of a round', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start({ policy: { maintainMs: 50 } });
    const reached = createLatch();
    const go = createLatch();
    let lists = 0;
    process.store.intercept(async (call, proceed) => {
      if (call.operation !== 'list') return proceed();
      lists += 1;
      reached.open();
      await go.opened;
      return proceed();
    });
    await reached.opened;
    const closed = process.outlive.close();
    go.open();
    await closed;
    const before = process.store.calls.length;
    await new Promise((r) => setTimeout(r, 300));
    expect(process.store.calls.length).toBe(before);
    void lists;
  });

  it('C8 configuration errors repeat no secret', async () => {
    const secret = 'fJ3kP0sSecretValue9';
    const minimal = {
      store: memoryStore(),
      providers: { p: { issuer: 'https://issuer.example', clientId: 'a' } },
      resources: { api: { provider: 'p', baseUrl: 'https://api.example', scopes: [] } },
      gate: () => 'active' as const,
    };
    const attempts: (() => unknown)[] = [
      () =>
        createOutlive({
          ...minimal,
          keys: { current: 'k', ring: { k: secret as never }, hash: new Uint8Array(32) },
        }),
      () => createOutlive({ ...minimal, keys: { current: 'k', ring: {}, hash: secret as never } }),
      () =>
        createOutlive({
          ...minimal,
          providers: { p: { issuer: `https://u:${secret}@issuer.example`, clientId: 'a' } },
        }),
      () =>
        createOutlive({
          ...minimal,
          providers: { p: { issuer: `https://issuer.example?k=${secret}`, clientId: 'a' } },
        }),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
        throw new Error('no error');
      } catch (error) {
        expect(String(error)).not.toContain(secret);
      }
    }
    const outlive = createOutlive({ ...minimal, policy: { maintainMs: 0 } });
    await expect(
      outlive.connect.callback({ url: `/callback?code=${secret}&state=x`, session: 's' }),
    ).rejects.toSatisfy((e) => !String(e).includes(secret));
    await expect(
      outlive.connect.callback({ url: `https://a.example/`, session: 5 as never }),
    ).rejects.toThrow();
    await outlive.close();
  });

  it('C10 a reported state that does not exist is a mistake of the caller', async () => {
    const world = await createWorld();
    await using _ = world;
    const { outlive } = world.start();
    await expect(
      outlive.reportUserState(alice, { state: 'disabled' as never, source: 'x' }),
    ).rejects.toMatchObject({ name: 'ConfigurationError' });
  });

  it('C11 a cancellation whose process died before it ended the task is finished by the next word', async () => {
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

  it('C11b ... or by maintenance', async () => {
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

  it('C12 connections that nobody finished are forgotten', async () => {
    const world = await createWorld({
      process: { provider: { redirectUri: 'http://127.0.0.1:9999/callback' } },
    });
    await using _ = world;
    const { outlive } = world.start();
    await outlive.connect.start({
      provider: 'p',
      principal: alice,
      scopes: ['read'],
      session: 's',
    });
    world.clock.skip(700_000);
    await outlive.maintain();
    const left = [];
    for await (const one of world.store.list({ kind: 'connection' })) left.push(one);
    expect(left).toEqual([]);
  });

  it('A12 a machine that slept asks the gate again', async () => {
    const { createFakeClock } = await import('@outlive/testing');
    const { UserStates } = await import('../src/user-state.ts');
    const clock = createFakeClock();
    let asked = 0;
    const slept = { ms: 0 };
    const states = new UserStates({
      clock: {
        ...clock,
        now: () => clock.now() + slept.ms,
        monotonicMs: () => clock.monotonicMs(),
        schedule: (c, d) => clock.schedule(c, d),
      },
      sources: [
        {
          name: 'gate',
          check: () => {
            asked += 1;
            return 'active';
          },
        },
      ],
      times: {
        timeoutMs: 2000,
        cacheMs: 5000,
        revalidateMs: 30_000,
        toleranceMs: { read: 1, reversible: 1, irreversible: 0 },
      },
      reported: async () => undefined,
      changed: () => undefined,
    });
    await states.check(alice, 'id', 'claim');
    slept.ms = 8 * 3_600_000;
    await states.check(alice, 'id', 'claim');
    expect(asked).toBe(2);
  });
});
void reading;

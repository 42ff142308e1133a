import { createProtectedApi } from '@outlive/testing';
import { describe, expect, it, vi } from 'vitest';
import { failSwaps } from './intercepted-store.ts';
import { pausedTask } from './paused-task.ts';
import { createLatch, createWorld, writing } from './world.ts';

describe('a call', () => {
  it('of which another request is still under way cannot be run again', async () => {
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

  it('that is done is not done again by a run that goes on', async () => {
    const world = await createWorld();
    await using _ = world;
    const process = world.start();
    await world.grant(process);
    const task = await world.task(process);
    const run = task.startRun();
    const call = run.call({
      requirement: writing,
      toolName: 't',
      toolCallId: 'c1',
      input: { a: 1 },
    });
    await call.principal.fetch('items', { method: 'POST' });
    await call.settle({ ok: true });
    const again = await task.resumeRun({ runId: run.id, toolCallIds: [] });
    const replay = again.call({
      requirement: writing,
      toolName: 't',
      toolCallId: 'c1',
      input: { a: 1 },
    });
    await expect(replay.principal.fetch('items', { method: 'POST' })).rejects.toMatchObject({
      code: 'not_resumable',
    });
    expect(world.api.accepted.length).toBe(1);
    const another = again.call({
      requirement: writing,
      toolName: 't',
      toolCallId: 'c1',
      input: { a: 2 },
    });
    expect((await another.principal.fetch('items', { method: 'POST' })).status).toBe(200);
  });
});

describe('the reservation of calls to resume', () => {
  it('gives back what it has when it cannot have all', async () => {
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

  it('that landed without saying so is not lost', async () => {
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
});

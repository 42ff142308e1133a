import { describe, expect, it } from 'vitest';
import type { AgentRun, GuardedCall } from '../src/index.ts';
import { pausedTask, taskWithCall } from './paused-task.ts';
import { reading, writing } from './world.ts';

function writeItems(run: AgentRun): GuardedCall {
  const invocation = { toolName: 'items', toolCallId: 'c2', input: {} };
  return run.call({ requirement: writing, ...invocation });
}

function post(call: GuardedCall): Promise<Response> {
  return call.principal.fetch('items', { method: 'POST' });
}

const stored = { runId: 'thread', toolCallIds: ['c2'] };

describe('a run that a framework names', () => {
  it('is the same run in every process, with what the store knows about its calls', async () => {
    const { world, process, task } = await taskWithCall();
    world.api.requireStepUp = {};
    const run = task.startRun({ runId: 'thread' });
    expect(run.id).toBe('thread');
    await expect(post(writeItems(run))).rejects.toMatchObject({ code: 'step_up_required' });
    const elsewhere = await process.outlive.task(task.id);
    expect(await elsewhere?.storedCalls({ ...stored, toolCallIds: ['c2', 'none'] })).toEqual([
      {
        ...{ toolCallId: 'c2', toolName: 'items', resource: 'api', status: 'refused' },
        ...{ code: 'step_up_required', pauseId: task.currentPause?.id },
      },
    ]);
    expect(await elsewhere?.storedCalls({ ...stored, runId: 'another' })).toEqual([]);
  });
});

describe('a call that is checked before it runs', () => {
  it('sends nothing, and is not on record where it has authority', async () => {
    const { world, task } = await taskWithCall();
    const run = task.startRun({ runId: 'thread' });
    expect(await writeItems(run).check()).toBeUndefined();
    expect(world.api.accepted).toEqual([]);
    expect(run.refusals).toEqual([]);
    expect(await task.storedCalls(stored)).toEqual([]);
  });

  it('is refused like any other where it has none', async () => {
    const { world, task } = await taskWithCall();
    world.turn('revoked');
    const run = task.startRun({ runId: 'thread' });
    expect(await writeItems(run).check()).toMatchObject({ code: 'user_state' });
    expect(run.refusals).toMatchObject([{ toolCallId: 'c2' }]);
    expect(task.status).toBe('paused');
    expect(await task.storedCalls(stored)).toMatchObject([{ status: 'refused' }]);
  });
});

describe('a call that the framework stopped half way', () => {
  it('runs again from its start, in another run of the same name too', async () => {
    const { world, task } = await taskWithCall();
    const call = writeItems(task.startRun({ runId: 'thread' }));
    await post(call);
    expect(await call.suspend()).toBeUndefined();
    expect(await task.storedCalls(stored)).toMatchObject([{ status: 'suspended' }]);

    const run = await task.resumeRun(stored);
    const again = writeItems(run);
    expect(await again.admission).toBeUndefined();
    await post(again);
    expect(await again.settle({ ok: true })).toBeUndefined();
    expect(await task.storedCalls(stored)).toMatchObject([{ status: 'done' }]);
    expect(world.api.accepted.length).toBe(2);
  });

  it('leaves no record when it had done nothing', async () => {
    const { task } = await taskWithCall();
    expect(await writeItems(task.startRun({ runId: 'thread' })).suspend()).toBeUndefined();
    expect(await task.storedCalls(stored)).toEqual([]);
  });

  it('does not run again when nobody can tell what it did', async () => {
    const { task } = await taskWithCall('read', {
      fetch: () => Promise.reject(new TypeError('the connection was lost')),
    });
    const call = writeItems(task.startRun({ runId: 'thread' }));
    await expect(post(call)).rejects.toThrow('the connection was lost');
    await call.suspend();
    expect(await task.storedCalls(stored)).toMatchObject([{ status: 'unknown' }]);
  });

  it('says so when it was refused before', async () => {
    const { world, task } = await taskWithCall();
    world.api.requireStepUp = {};
    const call = writeItems(task.startRun({ runId: 'thread' }));
    await expect(post(call)).rejects.toThrow();
    expect(await call.suspend()).toMatchObject({ code: 'step_up_required' });
  });
});

describe('a call that a person declines', () => {
  it('never runs again, whoever tries', async () => {
    const { process, task, run, pause } = await pausedTask();
    await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
    expect(await task.resume()).toMatchObject({ status: 'resumed' });
    const calls = { runId: run.id, toolCallIds: ['c1'] };
    await task.resumeRun({ runId: run.id, toolCallIds: [], decline: ['c1', 'never made'] });
    expect(await task.storedCalls(calls)).toMatchObject([{ status: 'declined' }]);
    await expect(task.resumeRun(calls)).rejects.toMatchObject({ code: 'not_resumable' });
    await expect(task.resumeRun({ ...calls, takeOver: true })).rejects.toMatchObject({
      code: 'not_resumable',
    });
  });

  it('is not started by a run that does not know of it', async () => {
    const { world, process, task } = await taskWithCall();
    world.api.requireStepUp = {};
    await expect(post(writeItems(task.startRun({ runId: 'thread' })))).rejects.toThrow();
    world.api.requireStepUp = undefined;
    const pauseId = task.currentPause?.id ?? '';
    for (const by of ['alice', 'root'])
      await process.outlive.decide(pauseId, { decision: 'resume', by });
    expect(await task.resume()).toMatchObject({ status: 'resumed' });
    await task.resumeRun({ runId: 'thread', toolCallIds: [], decline: ['c2'] });
    const again = writeItems(task.startRun({ runId: 'thread' }));
    await expect(post(again)).rejects.toMatchObject({ code: 'not_resumable' });
    expect(world.api.accepted).toEqual([]);
  });
});

it('a task resumes itself when people have decided, and says when it waits or has ended', async () => {
  const { process, task, pause } = await pausedTask();
  expect(await task.resume()).toMatchObject({ status: 'waiting', pause: { id: pause.id } });
  await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
  expect(await task.resume()).toEqual({ status: 'resumed', taskId: task.id });
  expect(await task.resume()).toEqual({ status: 'resumed', taskId: task.id });
  await task.cancel();
  expect(await task.resume()).toEqual({ status: 'ended', taskStatus: 'cancelled' });
});

it('a read that was refused and ran again is on record as done', async () => {
  const { process, task, run, pause } = await pausedTask();
  await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' });
  await task.resume();
  const calls = { runId: run.id, toolCallIds: ['c1'] };
  const resumed = await task.resumeRun(calls);
  const call = resumed.call({
    ...{ requirement: reading, toolName: 'items', toolCallId: 'c1', input: {} },
  });
  await call.principal.fetch('items');
  await call.settle({ ok: true });
  expect(await task.storedCalls(calls)).toMatchObject([{ status: 'done' }]);
});

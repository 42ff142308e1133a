import { describe, expect, it, vi } from 'vitest';
import type { CallRecord } from '../src/call-record.ts';
import type { AgentRun, GuardedCall, Requirement, Task } from '../src/index.ts';
import { createRecords } from '../src/records.ts';
import { createSealer } from '../src/sealing.ts';
import { failSwaps } from './intercepted-store.ts';
import {
  collect,
  createWorld,
  type Process,
  type ProcessOptions,
  reading,
  type World,
  writing,
} from './world.ts';

async function setUp(options: ProcessOptions = {}) {
  const world = await createWorld();
  const process = world.start(options);
  await world.grant(process);
  const task = await world.task(process);
  return { world, process, task, run: task.startRun() };
}

function callOf(
  run: AgentRun,
  requirement: Requirement,
  more: { id?: string; input?: unknown } = {},
) {
  const { id = 'c1', input = { name: 'x' } } = more;
  return run.call({ requirement, toolName: 'items', toolCallId: id, input });
}

function post(call: GuardedCall): Promise<Response> {
  return call.principal.fetch('items', { method: 'POST', body: '{}' });
}

/** What the store knows about calls. */
async function records({ store }: World): Promise<CallRecord[]> {
  const opened = createRecords({ store, sealer: createSealer(undefined) });
  const listed = await collect(store.list({ kind: 'call' }));
  const found = await Promise.all(listed.map(({ key }) => opened.get<CallRecord>(key)));
  return found.flatMap((record) => record?.value ?? []);
}

/** A writing call that the API refused, and a task that may go on by now. */
async function refusedAndDecided() {
  const setting = await setUp();
  const { world, process, run } = setting;
  world.api.requireStepUp = {};
  const call = callOf(run, writing);
  await expect(post(call)).rejects.toMatchObject({ code: 'step_up_required' });
  await call.settle({ ok: false });
  world.api.requireStepUp = undefined;
  const end = await run.finish();
  if (end.status !== 'paused') throw new Error(`the run is ${end.status}`);
  await goOn(process, end.pause.id);
  return { ...setting, call, resume: { runId: run.id, toolCallIds: ['c1'] } };
}

async function goOn({ outlive }: Process, pauseId: string, rerun?: readonly string[]) {
  const more = rerun === undefined ? {} : { rerun };
  await outlive.decide(pauseId, { decision: 'resume', by: 'alice', ...more });
  expect(await outlive.resume(pauseId)).toMatchObject({ status: 'resumed' });
}

async function sameTask({ outlive }: Process, task: Task): Promise<Task> {
  const found = await outlive.task(task.id);
  if (found === undefined) throw new Error('the task is gone');
  return found;
}

describe('a call that changes something', () => {
  it('is on record before its first byte leaves', async () => {
    const order: string[] = [];
    const { world, process, run } = await setUp({
      fetch: (input, init) => {
        order.push('sent');
        return globalThis.fetch(input, init);
      },
    });
    await using _ = world;
    process.store.intercept(async (call, proceed) => {
      const done = await proceed();
      if (call.index?.kind === 'call') order.push(`${call.index.status} durable`);
      return done;
    });
    const call = callOf(run, writing);
    await post(call);
    await call.settle({ ok: true });
    expect(order).toEqual(['started durable', 'sent', 'done durable']);
    expect(run.ledger).toMatchObject([{ toolCallId: 'c1', effect: 'reversible', outcome: 'done' }]);
  });

  it('is not sent at all where it cannot be put on record', async () => {
    const { world, process, run } = await setUp();
    await using _ = world;
    using _away = failSwaps(process.store, ({ kind }) => kind === 'call', {
      when: 'before',
      times: 1,
    });
    await expect(post(callOf(run, writing))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(world.api.tokensSeen.size).toBe(0);
    expect(run.halted).toBe(true);
  });

  it('is on record once, however many requests it makes', async () => {
    const { world, run } = await setUp();
    await using _ = world;
    const call = callOf(run, writing);
    await Promise.all([post(call), post(call), post(call)]);
    await call.settle({ ok: true });
    expect(await records(world)).toMatchObject([{ status: 'done', attempt: 1 }]);
  });

  it('is refused when the API refuses it, and may run again', async () => {
    const { world, run } = await setUp();
    await using _ = world;
    world.api.requireStepUp = {};
    const call = callOf(run, writing);
    await expect(post(call)).rejects.toThrow();
    expect(await call.settle({ ok: false })).toMatchObject({ code: 'step_up_required' });
    expect(run.ledger).toMatchObject([{ outcome: 'refused', code: 'step_up_required' }]);
    expect(await records(world)).toMatchObject([{ status: 'refused' }]);
  });

  it('is unknown when the connection fails after it was sent', async () => {
    const { world, run } = await setUp({
      fetch: async (input, init) => {
        await globalThis.fetch(input, init);
        throw new TypeError('terminated');
      },
    });
    await using _ = world;
    const call = callOf(run, writing);
    await expect(post(call)).rejects.toThrow('terminated');
    expect(await call.settle({ ok: false })).toBeUndefined();
    expect(world.api.accepted).toHaveLength(1);
    expect(run.ledger).toMatchObject([{ outcome: 'unknown' }]);
    expect(await records(world)).toMatchObject([{ status: 'unknown' }]);
  });

  it('is unknown when one request of it worked and the next was refused', async () => {
    const { world, task, run } = await setUp();
    await using _ = world;
    const call = callOf(run, writing);
    await post(call);
    world.api.requireStepUp = {};
    await expect(post(call)).rejects.toThrow();
    await call.settle({ ok: false });
    expect(run.ledger).toMatchObject([{ outcome: 'unknown', code: 'step_up_required' }]);
    expect(await records(world)).toMatchObject([{ status: 'unknown' }]);
    expect(task.status).toBe('paused');
  });
});

describe('a call that only reads', () => {
  it('leaves no record when it works, and is in the run’s ledger all the same', async () => {
    const { world, run } = await setUp();
    await using _ = world;
    const call = callOf(run, reading);
    await call.principal.fetch('items');
    await call.settle({ ok: true });
    expect(run.ledger).toMatchObject([{ effect: 'read', outcome: 'done' }]);
    expect(await records(world)).toEqual([]);
  });

  it('that asked for nothing is in no ledger', async () => {
    const { world, run } = await setUp();
    await using _ = world;
    await callOf(run, reading).settle({ ok: true });
    expect(run.ledger).toEqual([]);
  });
});

describe('a resumed call', () => {
  it('runs again, with the same idempotency key', async () => {
    const { world, task, call, resume } = await refusedAndDecided();
    await using _ = world;
    const run = await task.resumeRun(resume);
    expect(run.id).toBe(resume.runId);
    expect([...run.resumableCalls]).toEqual(['c1']);
    const again = callOf(run, writing);
    expect(again.principal.idempotencyKey).toBe(call.principal.idempotencyKey);
    expect(await again.admission).toBeUndefined();
    await post(again);
    await again.settle({ ok: true });
    expect(world.api.accepted).toHaveLength(1);
    expect(await records(world)).toMatchObject([{ status: 'done', attempt: 2 }]);
    expect(await run.finish()).toEqual({ status: 'completed' });
  });

  it('has another idempotency key than another call', async () => {
    const { world, run } = await setUp();
    await using _ = world;
    const keys = ['c1', 'c2'].map((id) => callOf(run, writing, { id }).principal.idempotencyKey);
    expect(new Set(keys).size).toBe(2);
  });

  it('goes to one of two processes that resume it at the same time', async () => {
    const { world, task, resume } = await refusedAndDecided();
    await using _ = world;
    const processes = await Promise.all([1, 2, 3].map(() => sameTask(world.start(), task)));
    const runs = await Promise.allSettled([task, ...processes].map((one) => one.resumeRun(resume)));
    const won = runs.flatMap((run) => (run.status === 'fulfilled' ? [run.value] : []));
    const lost = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason] : []));
    expect(won).toHaveLength(1);
    expect(lost).toHaveLength(3);
    for (const error of lost) expect(error).toMatchObject({ code: 'not_resumable' });
    for (const run of won) await post(callOf(run, writing));
    expect(world.api.accepted).toHaveLength(1);
  });

  it.each<[string, { requirement?: Requirement; toolName?: string; input?: unknown }]>([
    ['other input', { input: { name: 'y' } }],
    ['more input', { input: { name: 'x', admin: true } }],
    ['another tool', { toolName: 'erase' }],
    ['other scopes', { requirement: { ...writing, scopes: ['write', 'admin'] } }],
  ])('is refused with %s, and leaves the right one its place', async (_what, change) => {
    const { world, task, resume } = await refusedAndDecided();
    await using _ = world;
    const run = await task.resumeRun(resume);
    const altered = run.call({
      requirement: writing,
      toolName: 'items',
      toolCallId: 'c1',
      input: { name: 'x' },
      ...change,
    });
    expect(await altered.admission).toMatchObject({ code: 'not_resumable' });
    expect(run.halted).toBe(true);
    expect(world.api.accepted).toHaveLength(0);
    expect(await records(world)).toMatchObject([{ status: 'resuming' }]);
  });

  it('is the same with its input in another order', async () => {
    const { world, run, task, process } = await setUp();
    await using _ = world;
    world.api.requireStepUp = {};
    const call = callOf(run, writing, { input: { a: 1, b: { c: 2, d: 3 } } });
    await expect(post(call)).rejects.toThrow();
    world.api.requireStepUp = undefined;
    await goOn(process, task.currentPause?.id ?? '');
    const again = await task.resumeRun({ runId: run.id, toolCallIds: ['c1'] });
    const same = callOf(again, writing, { input: { b: { d: 3, c: 2 }, a: 1 } });
    expect(await same.admission).toBeUndefined();
  });

  it('is not one that was never made, of another run, or done already', async () => {
    const { world, task, resume } = await refusedAndDecided();
    await using _ = world;
    await expect(task.resumeRun({ ...resume, toolCallIds: ['c9'] })).rejects.toMatchObject({
      code: 'not_resumable',
    });
    await expect(task.resumeRun({ ...resume, runId: 'other' })).rejects.toMatchObject({
      code: 'not_resumable',
    });
    const call = callOf(await task.resumeRun(resume), writing);
    await post(call);
    await call.settle({ ok: true });
    await expect(task.resumeRun({ ...resume, takeOver: true })).rejects.toMatchObject({
      code: 'not_resumable',
      reason: 'the call is done',
    });
    expect(world.api.accepted).toHaveLength(1);
  });
});

describe('a process that dies while it resumes a call', () => {
  it('before anything was sent leaves a call that can be taken over', async () => {
    const { world, task, resume } = await refusedAndDecided();
    await using _ = world;
    const dying = world.start();
    await (await sameTask(dying, task)).resumeRun(resume);
    dying.kill();

    await expect(task.resumeRun(resume)).rejects.toMatchObject({ code: 'not_resumable' });
    const call = callOf(await task.resumeRun({ ...resume, takeOver: true }), writing);
    expect(await call.admission).toBeUndefined();
    await post(call);
    expect(world.api.accepted).toHaveLength(1);
  });

  it('after something was sent leaves a call that only a person’s word runs again', async () => {
    const { world, process, task, resume } = await refusedAndDecided();
    await using _ = world;
    const dying = world.start();
    await post(callOf(await (await sameTask(dying, task)).resumeRun(resume), writing));
    dying.kill();
    expect(world.api.accepted).toHaveLength(1);
    const takeOver = { ...resume, takeOver: true };

    for (const _round of [1, 2]) {
      const run = await task.resumeRun(takeOver);
      expect(run.resumableCalls.size).toBe(0);
      const end = await run.finish();
      if (end.status !== 'paused') throw new Error(`the run is ${end.status}`);
      expect(end.pause).toMatchObject({
        reason: { code: 'outcome_unknown', recovery: 'approver', reason: 'c1' },
        call: { toolCallId: 'c1', effect: 'reversible' },
      });
      // Going on is not the same as doing it again.
      await goOn(process, end.pause.id);
    }
    expect(world.api.accepted).toHaveLength(1);

    await (await task.resumeRun(takeOver)).finish();
    await goOn(process, task.currentPause?.id ?? '', ['c1']);
    const call = callOf(await task.resumeRun(resume), writing);
    expect(await call.admission).toBeUndefined();
    await post(call);
    await call.settle({ ok: true });
    expect(world.api.accepted).toHaveLength(2);
    expect(await records(world)).toMatchObject([{ status: 'done' }]);
  });

  it('and is only slow cannot begin what another has taken over', async () => {
    const { world, task, resume } = await refusedAndDecided();
    await using _ = world;
    const slow = callOf(await (await sameTask(world.start(), task)).resumeRun(resume), writing);
    expect(await slow.admission).toBeUndefined();
    const call = callOf(await task.resumeRun({ ...resume, takeOver: true }), writing);
    await post(call);

    await expect(post(slow)).rejects.toMatchObject({ code: 'not_resumable' });
    await vi.waitFor(() => expect(world.api.accepted).toHaveLength(1));
  });
});

import { describe, expect, it } from 'vitest';
import type { CallInvocation } from '../src/index.ts';
import { failSwaps } from './intercepted-store.ts';
import { createWorld, writing } from './world.ts';

const call: CallInvocation = {
  requirement: writing,
  toolName: 'items',
  toolCallId: 'c1',
  input: { item: 1 },
};
const approved = { ...call, approval: 'asked' } as const;

async function setting() {
  const world = await createWorld();
  const process = world.start();
  await world.grant(process);
  return { world, process, task: await world.task(process) };
}

describe('a call that a person was asked about', () => {
  it('runs once, also in another task of the same person', async () => {
    const { world, process, task } = await setting();
    await using _ = world;
    await task.startRun().ask(call);

    const next = await world.task(process);
    expect(await next.startRun().call(approved).admission).toBeUndefined();

    for (const again of [task, next]) {
      const run = again.startRun();
      expect(await run.call(approved).admission).toMatchObject({ code: 'not_resumable' });
      expect(run.halted).toBe(true);
    }
  });

  it('runs once when two processes run it at once', async () => {
    const { world, task } = await setting();
    await using _ = world;
    await task.startRun().ask(call);
    const other = await world.start().outlive.task(task.id);
    const admissions = await Promise.all(
      [task, other].map((one) => one?.startRun().call(approved).admission),
    );
    expect(admissions.filter((refusal) => refusal === undefined)).toHaveLength(1);
  });

  it.each([
    ['another input', { input: { item: 2 } }],
    ['another tool', { toolName: 'everything' }],
    ['another id', { toolCallId: 'c2' }],
  ])('does not run as %s', async (_what, altered) => {
    const { world, task } = await setting();
    await using _ = world;
    await task.startRun().ask(call);
    const run = task.startRun();
    expect(await run.call({ ...approved, ...altered }).admission).toMatchObject({
      code: 'not_resumable',
    });
  });

  it('may be asked about again', async () => {
    const { world, task } = await setting();
    await using _ = world;
    const run = task.startRun();
    await run.ask(call);
    await task.startRun().call(approved).admission;
    await run.ask(call);
    expect(await task.startRun().call(approved).admission).toBeUndefined();
  });

  it('is known to have been asked about when the acknowledgement was lost', async () => {
    const { world, process, task } = await setting();
    await using _ = world;
    using _lost = failSwaps(process.store, ({ status }) => status === 'issued', {
      when: 'after',
      times: 1,
    });
    await task.startRun().ask(call);
    expect(await task.startRun().call(approved).admission).toBeUndefined();
  });
});

describe('a call that nobody was asked about', () => {
  it('does not run', async () => {
    const { world, task } = await setting();
    await using _ = world;
    expect(await task.startRun().call(approved).admission).toMatchObject({
      code: 'not_resumable',
    });
  });

  it('runs once when the app has verified its own signature', async () => {
    const { world, task } = await setting();
    await using _ = world;
    const signed = { ...call, approval: 'signed' } as const;
    expect(await task.startRun().call(signed).admission).toBeUndefined();
    expect(await task.startRun().call(signed).admission).toMatchObject({ code: 'not_resumable' });
  });
});

describe('a paused run without a call to run again', () => {
  it('goes on once from each pause, unless it is taken over', async () => {
    const { world, task } = await setting();
    await using _ = world;
    const { id: runId } = task.startRun();
    const resume = { runId, toolCallIds: [], pauseId: 'p1' };
    const runs = await Promise.allSettled([task.resumeRun(resume), task.resumeRun(resume)]);
    expect(runs.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(task.resumeRun(resume)).rejects.toMatchObject({ code: 'not_resumable' });
    await task.resumeRun({ ...resume, takeOver: true });
    await task.resumeRun({ ...resume, pauseId: 'p2' });
  });
});

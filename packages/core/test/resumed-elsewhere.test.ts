import { describe, expect, it } from 'vitest';
import type { Outlive, Task } from '../src/index.ts';
import { createWorld, writing } from './world.ts';

async function setting() {
  const world = await createWorld();
  const here = world.start();
  await world.grant(here);
  const task = await world.task(here);
  return { world, task, elsewhere: world.start().outlive };
}

async function pauseThere(outlive: Outlive, task: Task): Promise<string> {
  const pause = await (await outlive.task(task.id))?.pause('wait a moment');
  if (pause === undefined) throw new Error('the task is not paused');
  return pause.id;
}

async function resumeThere(outlive: Outlive, pauseId: string): Promise<void> {
  for (const by of ['alice', 'root'])
    await outlive.decide(pauseId, { decision: 'resume', by }).catch(() => undefined);
  expect(await outlive.resume(pauseId)).toMatchObject({ status: 'resumed' });
}

describe('a task that another process has just resumed', () => {
  it('has its next run go on, whatever this process still believes', async () => {
    const { world, task, elsewhere } = await setting();
    await using _ = world;
    const pause = await task.pause('wait a moment');
    await resumeThere(elsewhere, pause?.id ?? '');
    expect(task.status).toBe('paused');

    const run = task.startRun();
    const call = run.call({ requirement: writing, toolName: 't', toolCallId: 'c1', input: {} });

    expect(await call.admission).toBeUndefined();
    expect((await call.principal.fetch('items', { method: 'POST' })).ok).toBe(true);
    expect(await run.mayContinue()).toBe(true);
    expect(await run.finish()).toEqual({ status: 'completed' });
  });

  it('does not complete the run that was stopped for it', async () => {
    const { world, task, elsewhere } = await setting();
    await using _ = world;
    const run = task.startRun();
    const pauseId = await pauseThere(elsewhere, task);
    expect(await run.mayContinue()).toBe(false);

    await resumeThere(elsewhere, pauseId);

    expect(await run.mayContinue()).toBe(false);
    expect(await run.finish()).toMatchObject({ status: 'paused', pause: { id: pauseId } });
  });
});

import { describe, expect, it } from 'vitest';
import type { DecisionRequest, Effect, EscalationPolicy } from '../src/index.ts';
import { createWorld, deleting, writing } from './world.ts';

const resume = { decision: 'resume' } as const;

/** A task that waits for people, since nobody can tell whether its call had its effect. It had. */
async function doubtfulCall(effect: Exclude<Effect, 'read'>, escalate?: EscalationPolicy) {
  const world = await createWorld({
    process: escalate === undefined ? {} : { policy: { escalate } },
  });
  const lost = world.start({
    fetch: async (input, init) => {
      await globalThis.fetch(input, init);
      throw new TypeError('terminated');
    },
  });
  await world.grant(lost);
  const started = await world.task(lost);
  const run = started.startRun();
  const requirement = effect === 'reversible' ? writing : deleting;
  const method = effect === 'reversible' ? 'POST' : 'DELETE';
  const invocation = { requirement, toolName: 'items', toolCallId: 'c1', input: {} };
  const call = run.call(invocation);
  await call.principal.fetch('items', { method }).catch(() => undefined);
  await call.settle({ ok: false });

  const process = world.start();
  const task = await process.outlive.task(started.id);
  if (task === undefined) throw new Error('the task is gone');
  const resumption = { runId: run.id, toolCallIds: ['c1'] };
  const end = await (await task.resumeRun(resumption)).finish();
  if (end.status !== 'paused') throw new Error(`the run is ${end.status}`);
  const { pause } = end;

  async function say(by: string, more: Partial<DecisionRequest> = {}) {
    return process.outlive.decide(pause.id, { ...resume, by, ...more });
  }
  return { world, process, task, pause, say, resumption, invocation, method };
}

describe('a call of which nobody can tell whether it happened', () => {
  it('is done and never run again, once a person says that it has happened', async () => {
    const { world, process, task, pause, say, resumption, invocation, method } =
      await doubtfulCall('reversible');
    await using _ = world;
    expect(pause.reason).toMatchObject({ code: 'outcome_unknown', reason: 'c1' });
    expect(await say('alice', { happened: ['c1'] })).toMatchObject({
      status: 'decided',
      pause: { decision: { happened: ['c1'] } },
    });
    expect(await process.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });

    const run = await task.resumeRun(resumption);
    expect([...run.happenedCalls]).toEqual(['c1']);
    expect([...run.resumableCalls]).toEqual([]);
    const again = run.call(invocation);
    await expect(again.principal.fetch('items', { method })).rejects.toMatchObject({
      code: 'not_resumable',
      reason: 'the call is done',
    });
    expect(world.api.accepted).toHaveLength(1);
    const { entries, text } = await process.outlive.explain(task.id);
    expect(entries.findLast(({ outcome }) => outcome === 'done')).toMatchObject({
      type: 'tool-call-settled',
      toolCallId: 'c1',
      by: 'alice',
      pauseId: pause.id,
    });
    expect(text).toContain('items is done: people say that it happened by alice');
  });

  it('runs again once a person says that it may', async () => {
    const { world, process, task, pause, say, resumption, invocation, method } =
      await doubtfulCall('reversible');
    await using _ = world;
    await say('alice', { rerun: ['c1'] });
    await process.outlive.resume(pause.id);
    const run = await task.resumeRun(resumption);
    expect([...run.resumableCalls]).toEqual(['c1']);
    await run.call(invocation).principal.fetch('items', { method });
    expect(world.api.accepted).toHaveLength(2);
  });

  it.each<[string, Partial<DecisionRequest>, Partial<DecisionRequest>]>([
    ['one says it may run again, and the other nothing', { rerun: ['c1'] }, {}],
    ['one says nothing, and the other that it may run again', {}, { rerun: ['c1'] }],
    [
      'one says it has happened, and the other that it may run again',
      { happened: ['c1'] },
      { rerun: ['c1'] },
    ],
  ])('stays so where two people must confirm and %s', async (_what, first, second) => {
    const { world, process, task, pause, say, resumption } = await doubtfulCall('irreversible');
    await using _ = world;
    expect(await say('alice', first)).toMatchObject({ status: 'waiting', missing: ['admin'] });
    expect(await say('root', second)).toMatchObject({ status: 'decided' });
    await process.outlive.resume(pause.id);
    const run = await task.resumeRun(resumption);
    expect(run.resumableCalls.size + run.happenedCalls.size).toBe(0);
    expect(await run.finish()).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'outcome_unknown' } },
    });
    expect(world.api.accepted).toHaveLength(1);
  });

  it('is settled where both people say the same', async () => {
    const { world, process, task, pause, say, resumption } = await doubtfulCall('irreversible');
    await using _ = world;
    await say('alice', { happened: ['c1'] });
    await say('root', { happened: ['c1'] });
    await process.outlive.resume(pause.id);
    expect([...(await task.resumeRun(resumption)).happenedCalls]).toEqual(['c1']);
  });

  it('is not both: a decision that says so is refused', async () => {
    const { world, say } = await doubtfulCall('reversible');
    await using _ = world;
    await expect(say('alice', { happened: ['c1'], rerun: ['c1'] })).rejects.toMatchObject({
      name: 'ConfigurationError',
      paths: ['happened'],
    });
  });

  it('is not one that is known to be done or refused', async () => {
    const { world, process, task, pause, say, resumption } = await doubtfulCall('reversible');
    await using _ = world;
    await say('alice', { happened: ['c2', 'c1'] });
    await process.outlive.resume(pause.id);
    const { entries } = await process.outlive.explain(task.id);
    expect(entries.filter(({ outcome }) => outcome === 'done')).toHaveLength(1);
    expect([...(await task.resumeRun(resumption)).happenedCalls]).toEqual(['c1']);
  });
});

import { describe, expect, it } from 'vitest';
import { ProcessFailure } from './fork-process.ts';
import type { Agent } from './start-agent.ts';
import { createWorld, type World } from './world.ts';

const toolCallId = 'pay-1';

interface PausedRun {
  readonly taskId: string;
  readonly runId: string;
  readonly toolCallId: string;
}

describe('a payment whose process was killed when the API had made it', () => {
  it('is not resumed by others, and not repeated by one that takes over: a person is asked', async () => {
    const { world, paused, other } = await paidAndKilled();

    expect(await failureOf(other.call('payAgain', paused))).toMatchObject({
      code: 'not_resumable',
      reason: 'the call is started',
    });
    expect(await other.call('payAgain', { ...paused, takeOver: true })).toMatchObject({
      status: 'notRun',
      runStatus: 'paused',
      because: 'outcome_unknown',
    });
    expect(world.payments).toHaveLength(1);
    expect(await other.call('token', paused.taskId)).toMatchObject({
      error: { code: 'task_paused' },
    });
  }, 60_000);

  it('is made again on the word of a person', async () => {
    const { world, paused, other } = await paidAndKilled();
    await other.call('payAgain', { ...paused, takeOver: true });

    const pauseId = await pauseIdOf(world, paused);
    expect(await world.approve(pauseId, [toolCallId])).toBe('decided');
    expect(await other.call('resume', pauseId)).toBe('resumed');
    expect(await other.call('payAgain', paused)).toMatchObject({
      status: 'answered',
      httpStatus: 200,
    });
    expect(world.payments).toHaveLength(2);
  }, 60_000);

  it('is not made again when the person lets the task go on without it', async () => {
    const { world, paused, other } = await paidAndKilled();
    await other.call('payAgain', { ...paused, takeOver: true });

    const pauseId = await pauseIdOf(world, paused);
    expect(await world.approve(pauseId)).toBe('decided');
    expect(await other.call('resume', pauseId)).toBe('resumed');
    expect(await other.call('pay', paused.taskId, 'pay-2')).toMatchObject({ status: 'answered' });
    expect(await other.call('payAgain', paused)).toMatchObject({
      status: 'notRun',
      because: 'outcome_unknown',
    });
    expect(world.payments).toHaveLength(2);
  }, 60_000);

  it('is not made again by an adapter that makes the call although its run says no', async () => {
    const { world, paused, other } = await paidAndKilled();
    const insisting = { ...paused, takeOver: true, insist: true };
    expect(await other.call('payAgain', insisting)).toMatchObject({ status: 'refused' });
    expect(world.payments).toHaveLength(1);

    // The refusal of that call must not make anybody believe that the payment was never made.
    const pauseId = await pauseIdOf(world, paused);
    await world.approve(pauseId);
    await other.call('resume', pauseId);
    expect(await other.call('payAgain', paused)).toMatchObject({ because: 'outcome_unknown' });
    expect(world.payments).toHaveLength(1);
  }, 60_000);
});

it('a run goes on in one process as soon as another has resumed its task', async () => {
  const world = await createWorld({ policy: { stopPollMs: 500 } });
  const [first, second] = await Promise.all([world.startAgent(), world.startAgent()]);
  const paused = await pausedPayment(world, first);
  const pauseId = await pauseIdOf(world, paused);
  await world.approve(pauseId);

  expect(await second.call('resume', pauseId)).toBe('resumed');
  expect(await first.call('payAgain', paused)).toMatchObject({ status: 'answered' });
  expect(world.payments).toHaveLength(1);
}, 60_000);

it('of processes that resume the same run at the same instant one makes the payment', async () => {
  const world = await createWorld();
  const agents = await world.startAgents(3);
  for (let round = 1; round <= 4; round += 1) {
    const paused = await pausedPayment(world, agents[0]);
    const pauseId = await pauseIdOf(world, paused);
    await world.approve(pauseId);

    const resumed = await Promise.all(agents.map((agent) => agent.call('resume', pauseId)));
    expect(resumed).toEqual(agents.map(() => 'resumed'));
    const answers = await Promise.allSettled(agents.map((agent) => agent.call('payAgain', paused)));

    expect(world.payments).toHaveLength(round);
    const paid = answers.filter((answer) => answer.status === 'fulfilled');
    expect(paid.map((answer) => answer.value)).toMatchObject([{ status: 'answered' }]);
    for (const answer of answers)
      if (answer.status === 'rejected')
        expect(answer.reason).toMatchObject({ report: { code: 'not_resumable' } });
  }
}, 60_000);

/** A payment that was paused, resumed by another process and made; that process saw nothing of it any more. */
async function paidAndKilled(): Promise<{ world: World; paused: PausedRun; other: Agent }> {
  const world = await createWorld();
  const [first, second] = await Promise.all([world.startAgent(), world.startAgent()]);
  const paused = await pausedPayment(world, first);
  const pauseId = await pauseIdOf(world, paused);
  expect(await world.approve(pauseId)).toBe('decided');
  expect(await second.call('resume', pauseId)).toBe('resumed');
  // The API answers when nobody is there any more to hear it.
  world.onPayment = () => second.kill();
  await expect(second.call('payAgain', paused)).rejects.toThrow(/ProcessEnded/);
  world.onPayment = async () => undefined;
  expect(world.payments).toHaveLength(1);
  return { world, paused, other: first };
}

/** A payment for which the API wanted a stronger sign-in; it was not made. */
async function pausedPayment(world: World, agent: Agent | undefined): Promise<PausedRun> {
  const { id: taskId } = await world.startTask();
  const before = world.payments.length;
  world.api.requireStepUp = { acrValues: ['strong'] };
  const refused = await agent?.call('pay', taskId, toolCallId);
  world.api.requireStepUp = undefined;
  expect(refused).toMatchObject({
    status: 'refused',
    runStatus: 'paused',
    error: { code: 'step_up_required' },
  });
  expect(world.payments).toHaveLength(before);
  return { taskId, runId: refused?.runId ?? '', toolCallId };
}

async function pauseIdOf(world: World, { taskId }: PausedRun): Promise<string> {
  for await (const pause of world.outlive.waitingPauses())
    if (pause.taskId === taskId) return pause.id;
  throw new Error('expected the task to wait for somebody; it does not');
}

async function failureOf(call: Promise<unknown>): Promise<ProcessFailure['report']> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ProcessFailure) return error.report;
    throw error;
  }
  throw new Error('expected the call to be refused; it was not');
}

import assert from 'node:assert/strict';
import { AuthError, type Pause, type Task } from '@outlive/core';
import type { AdapterUnderTest } from './adapter-under-test.ts';
import {
  answerOf,
  assertSafe,
  assertToldInOrder,
  pausedOf,
  prompt,
  resultsOf,
  type ScenarioScript,
} from './scenario.ts';
import { scopes } from './scenario-runtime.ts';
import type { ScenarioWorld } from './scenario-world.ts';

/** What may go wrong, or otherwise than asked for, when a paused run is resumed. */
export const resumeScenarios: readonly ScenarioScript[] = [
  {
    name: 'a call whose input was edited meanwhile is not run, and the model gets no turn',
    async play(adapter, world) {
      const { state } = await pausedAndApproved(adapter, world);
      const altered = adapter.alter(state, 'pay', { about: 'everything' });
      assert.notDeepEqual(altered, state);
      const before = world.executed.length;

      const run = await adapter.resume(world.outlive, altered, {
        tools: world.tools,
        model: { turns: [] },
      });

      assert.equal(run.outcome.status, 'failed');
      assert.equal(AuthError.find(run.outcome.error)?.code, 'not_resumable');
      assertSafe(world, run);
      assert.equal(run.prompts.length, 0);
      assert.equal(world.executed.length, before);
      assert.equal(world.served('/payments'), 0);
    },
  },
  {
    name: 'two processes resume at once: the call has its effect once, and one of them goes on',
    async play(adapter, world) {
      const { state } = await pausedAndApproved(adapter, world);
      const parts = { tools: world.tools, model: { turns: ['Paid.'] } };

      const runs = await Promise.all([
        adapter.resume(world.outlive, state, parts),
        adapter.resume(world.secondOutlive, state, parts),
      ]);

      assert.equal(world.served('/payments'), 1);
      assert.deepEqual(
        world.executed.filter((call) => call === 'payInvoice:pay').length,
        2,
        'once when it was refused, once when it was resumed',
      );
      const completed = runs.filter(({ outcome }) => outcome.status === 'completed');
      assert.equal(completed.length, 1);
      assert.equal(runs.flatMap(({ prompts }) => prompts).length, 1);
      for (const run of runs) assertSafe(world, run);
    },
  },
  {
    name: 'a run that was resumed already is not resumed again',
    async play(adapter, world) {
      const { state } = await pausedAndApproved(adapter, world);
      const parts = { tools: world.tools, model: { turns: ['Paid.'] } };
      answerOf(world, await adapter.resume(world.outlive, state, parts));

      const run = await adapter.resume(world.outlive, state, {
        tools: world.tools,
        model: { turns: [] },
      });

      assert.notEqual(run.outcome.status, 'completed');
      assert.equal(run.prompts.length, 0);
      assert.equal(world.served('/payments'), 1);
    },
  },
  {
    name: 'a person declines the call: it does not run, and the model is told',
    async play(adapter, world) {
      const { state } = await pausedAndApproved(adapter, world);
      const before = world.executed.length;

      const run = await adapter.resume(world.outlive, state, {
        tools: world.tools,
        model: { turns: ['Then not.'] },
        decline: ['pay'],
      });

      assert.equal(answerOf(world, run), 'Then not.');
      assert.equal(run.prompts.length, 1);
      assert.deepEqual(resultsOf(run), { pay: 'an error' });
      assert.match(run.prompts[0]?.text ?? '', /declined/);
      assert.equal(world.executed.length, before);
      assert.equal(world.served('/payments'), 0);
    },
  },
  {
    name: 'a person cancels: the outcome is cancelled, and nothing runs',
    async play(adapter, world) {
      const { pause, state } = await paused(adapter, world);
      const { status } = await world.outlive.decide(pause.id, { decision: 'cancel', by: 'alice' });
      assert.equal(status, 'decided');
      const before = world.executed.length;

      const run = await adapter.resume(world.secondOutlive, state, {
        tools: world.tools,
        model: { turns: [] },
      });

      assert.equal(run.outcome.status, 'cancelled');
      assert.equal(run.prompts.length, 0);
      assert.equal(world.executed.length, before);
    },
  },
  {
    name: 'a task that is paused by hand between two turns waits, and goes on with its next turn',
    async play(adapter, world) {
      const task = await world.startTask();
      world.moments.toolStarted = async () => {
        await (await world.secondOutlive.task(task.id))?.pause('wait a moment');
      };
      const run = await adapter.start(task, {
        ...{ prompt, tools: world.tools },
        model: { turns: [[{ tool: 'wait', id: 'idle' }]] },
      });
      const { pause, state } = pausedOf(world, run);
      assert.equal(run.prompts.length, 1);

      await world.approve(pause.id);
      const resumed = await adapter.resume(world.outlive, state, {
        tools: world.tools,
        model: { turns: ['Where was I?'] },
      });
      assert.equal(answerOf(world, resumed), 'Where was I?');
      assert.deepEqual(world.executed, ['wait:idle']);
      await assertToldInOrder(world, task, [
        'task-paused',
        'decision-made',
        'task-resumed',
        'task-completed',
      ]);
    },
  },
];

interface Paused {
  readonly task: Task;
  readonly pause: Pause;
  readonly state: unknown;
}

/** A run that waits since its payment was refused. */
async function paused(adapter: AdapterUnderTest, world: ScenarioWorld): Promise<Paused> {
  const task = await world.startTask();
  const run = await adapter.start(task, {
    ...{ prompt, tools: world.tools },
    model: { turns: [[{ tool: 'payInvoice', id: 'pay', about: 'rent' }]] },
  });
  return { task, ...pausedOf(world, run) };
}

/** The same, when nothing is in its way any more. */
async function pausedAndApproved(adapter: AdapterUnderTest, world: ScenarioWorld): Promise<Paused> {
  const waiting = await paused(adapter, world);
  await world.reconnect(scopes);
  await world.approve(waiting.pause.id);
  return waiting;
}

import assert from 'node:assert/strict';
import { AuthError } from '@outlive/core';
import type { Misbehaviour } from '@outlive/testing';
import type { NeutralRun } from './adapter-under-test.ts';
import { credentialedTool } from './billing-tools.ts';
import {
  answerOf,
  assertSafe,
  ledgerOf,
  pausedOf,
  prompt,
  type ScenarioScript,
} from './scenario.ts';
import { scopes } from './scenario-runtime.ts';

const misbehaviours: readonly Misbehaviour[] = [
  'tryAnotherTool',
  'claimSuccess',
  'retrySameCall',
  'nameToolInText',
  'emptyTurn',
];

/** A model that would misbehave when it saw the refusal; it does not see it. */
const misbehavingScenarios: readonly ScenarioScript[] = misbehaviours.map((whenToolFails) => ({
  name: `a model that would ${whenToolFails} gets no turn to do so, and finishes its plan when resumed`,
  async play(adapter, world) {
    const model = {
      plan: [
        [
          { tool: 'payInvoice', id: 'pay' },
          { tool: 'listInvoices', id: 'list' },
        ],
        [{ tool: 'addNote', id: 'note' }],
      ],
      whenToolFails,
      alternativeTool: 'addNote',
    };
    const { tools } = world;
    const run = await adapter.start(await world.startTask(), { prompt, tools, model });

    const { pause, state } = pausedOf(world, run);
    assert.equal(run.prompts.length, 1);
    assert.equal(world.served('/payments') + world.served('/notes'), 0);

    await world.reconnect(scopes);
    await world.approve(pause.id);
    const resumed = await adapter.resume(world.outlive, state, { tools, model });
    assert.equal(answerOf(world, resumed), 'All done.');
    assert.equal(world.served('/payments'), 1);
    assert.equal(world.served('/notes'), 1);
    assert.ok(resumed.prompts.every(({ results }) => results.every(({ isError }) => !isError)));
  },
}));

/** Where the loop of a run begins and ends, and what stands beside it. */
export const loopScenarios: readonly ScenarioScript[] = [
  ...misbehavingScenarios,
  {
    name: 'a run that nothing stops completes, with every call in the ledger',
    async play(adapter, world) {
      const run = await adapter.start(await world.startTask(), {
        ...{ prompt, tools: world.tools },
        model: {
          turns: [
            [
              { tool: 'listInvoices', id: 'list' },
              { tool: 'wait', id: 'idle' },
            ],
            [{ tool: 'addNote', id: 'note' }],
            'Noted.',
          ],
        },
      });
      assert.equal(answerOf(world, run), 'Noted.');
      assert.equal(run.prompts.length, 3);
      assert.deepEqual(ledgerOf(run), ['list done', 'note done']);
    },
  },
  {
    name: 'a task that another process cancels in the middle of a turn gets no further turn',
    async play(adapter, world) {
      const task = await world.startTask();
      world.moments.toolStarted = async () => {
        await (await world.secondOutlive.task(task.id))?.cancel('changed my mind');
      };
      const run = await adapter.start(task, {
        ...{ prompt, tools: world.tools },
        model: { turns: [[{ tool: 'wait', id: 'idle' }]] },
      });
      assert.equal(run.outcome.status, 'cancelled');
      assert.equal(run.prompts.length, 1);
    },
  },
  {
    name: 'a task that runs out of time in the middle of a run: its next call is refused, and it is expired',
    async play(adapter, world) {
      world.moments.toolStarted = (call) => {
        // After the turn's own look at the task: the time runs out while the call is under way.
        if (call === 'addNote:note') world.clock.aheadMs = 80_000;
      };
      const run = await adapter.start(await world.startTask(), {
        ...{ prompt, tools: world.tools },
        model: {
          turns: [[{ tool: 'listInvoices', id: 'list' }], [{ tool: 'addNote', id: 'note' }]],
        },
      });
      assert.equal(run.outcome.status, 'expired');
      assert.equal(run.prompts.length, 2);
      assert.equal(world.served('/notes'), 0);
      assert.deepEqual(ledgerOf(run), ['list done', 'note refused']);
      assertSafe(world, run);
    },
  },
  {
    name: 'a task that runs out of time between two turns gets no further turn, and is expired',
    async play(adapter, world) {
      world.moments.toolStarted = () => {
        world.clock.aheadMs = 80_000;
      };
      const run = await adapter.start(await world.startTask(), {
        ...{ prompt, tools: world.tools },
        model: { turns: [[{ tool: 'wait', id: 'idle' }], 'As if nothing had happened.'] },
      });
      assert.equal(run.outcome.status, 'expired');
      assert.equal(run.prompts.length, 1);
    },
  },
  {
    name: 'a credentialed tool that is called outside a task refuses, and asks nobody',
    async play(adapter, world) {
      const pay = credentialedTool(world.tools, 'payInvoice');
      await assert.rejects(
        () => adapter.callOutsideTask(pay, { about: 'rent' }),
        (error) => AuthError.find(error)?.code === 'no_task',
      );
      assert.deepEqual(world.executed, []);
      assert.equal(world.api.tokens().length, 0);
    },
  },
  {
    name: 'the run of another task goes on, whatever this pause waits for',
    async play(adapter, world) {
      const [pausing, other] = [await world.startTask(), await world.startTask()];
      const { tools } = world;
      let pausedRun: Promise<NeutralRun> | undefined;
      world.moments.apiAsked = async (path) => {
        if (path !== '/invoices') return;
        const model = { turns: [[{ tool: 'payInvoice', id: 'pay' }]] };
        pausedRun ??= adapter.start(pausing, { prompt, tools, model });
        await pausedRun;
      };

      const run = await adapter.start(other, {
        ...{ prompt, tools },
        model: {
          turns: [
            [{ tool: 'listInvoices', id: 'list' }],
            [{ tool: 'addNote', id: 'note' }],
            'Noted.',
          ],
        },
      });

      assert.ok(pausedRun !== undefined);
      pausedOf(world, await pausedRun);
      assert.equal(answerOf(world, run), 'Noted.');
      assert.equal(world.served('/notes'), 1);
      assert.equal(other.status, 'active');
      assert.equal(pausing.status, 'paused');
    },
  },
];

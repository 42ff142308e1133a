import assert from 'node:assert/strict';
import type { Task } from '@outlive/core';
import type { AdapterUnderTest, NeutralRun } from './adapter-under-test.ts';
import { swallowed } from './billing-tools.ts';
import { resumeElsewhere } from './resume-elsewhere.ts';
import {
  answerOf,
  assertToldInOrder,
  createLatch,
  ledgerOf,
  pausedOf,
  prompt,
  resultsOf,
  type ScenarioScript,
} from './scenario.ts';
import { scopes } from './scenario-runtime.ts';
import type { ScenarioWorld } from './scenario-world.ts';
import { shown } from './secrets.ts';

/** The story that every adapter proves: one refused call of several in flight, and what becomes of it. */
export const storyScenarios: readonly ScenarioScript[] = [
  {
    name: 'one call of several in flight is refused: no further turn, siblings kept, resumed in another process',
    async play(adapter, world) {
      const task = await world.startTask();
      const run = await refuseOneOfThree(adapter, world, task);

      const { pause, state } = pausedOf(world, run);
      assert.equal(run.prompts.length, 1);
      assert.deepEqual(world.executed.toSorted(), [
        'listInvoices:list',
        'payInvoice:pay',
        'wait:idle',
      ]);
      assert.deepEqual(ledgerOf(run), ['list done', 'pay refused']);
      assert.equal(pause.reason.code, 'insufficient_scope');
      assert.equal(pause.call?.toolCallId, 'pay');
      assert.equal((await world.secondOutlive.pause(pause.id))?.status, 'open');
      assert.equal((await world.secondOutlive.task(task.id))?.status, 'paused');

      await world.reconnect(scopes);
      await world.approve(pause.id);
      const resumed = await resumeElsewhere({
        ...{ adapter, setup: world.setup, state, decline: [] },
        model: { turns: ['All is paid.'] },
      });

      assert.deepEqual(resumed.executed, ['payInvoice:pay'], resumed.printed);
      assert.equal(answerOf(world, resumed), 'All is paid.');
      assert.equal(resumed.prompts.length, 1);
      assert.deepEqual(resultsOf(resumed), {
        list: '200: done /invoices',
        pay: '200: done /payments',
        idle: 'waited for idle',
      });
      assert.deepEqual(ledgerOf(resumed), ['pay done']);
      assert.equal(world.served('/payments'), 1);
      assert.equal(world.served('/invoices'), 1);
      await assertToldInOrder(world, task, [
        'task-started',
        'task-paused',
        'tool-call-settled pay refused',
        'decision-made',
        'decision-made',
        'pause-claimed',
        'task-resumed',
        'tool-call-started pay',
        'tool-call-settled pay done',
        'task-completed',
      ]);
    },
  },
  {
    name: 'three calls are refused for one cause: one pause, and all three run again',
    async play(adapter, world) {
      const task = await world.startTask();
      const calls = ['one', 'two', 'three'].map((id) => ({ tool: 'payInvoice', id }));
      const run = await adapter.start(task, {
        ...{ prompt, tools: world.tools },
        model: { turns: [calls] },
      });

      const { pause, state } = pausedOf(world, run);
      assert.equal(run.prompts.length, 1);
      assert.deepEqual(ledgerOf(run), ['one refused', 'three refused', 'two refused']);
      assert.deepEqual(await waitingPauses(world), [pause.id]);
      assert.equal(world.audited.filter(({ type }) => type === 'task-paused').length, 1);

      await world.reconnect(scopes);
      await world.approve(pause.id);
      const resumed = await adapter.resume(world.outlive, state, {
        tools: world.tools,
        model: { turns: ['Paid three.'] },
      });
      assert.equal(answerOf(world, resumed), 'Paid three.');
      assert.deepEqual(ledgerOf(resumed), ['one done', 'three done', 'two done']);
      assert.equal(world.served('/payments'), 3);
    },
  },
  {
    name: 'a sibling that starts after the pause gets no authority, and runs when the task goes on',
    async play(adapter, world) {
      const refused = createLatch();
      world.moments.toolEnded = (call) => call === 'payInvoice:pay' && refused.open();
      world.moments.toolStarted = async (call) => {
        if (call === 'addNote:late') await refused.opened;
      };
      const run = await adapter.start(await world.startTask(), {
        ...{ prompt, tools: world.tools },
        model: {
          turns: [
            [
              { tool: 'addNote', id: 'late' },
              { tool: 'payInvoice', id: 'pay' },
            ],
          ],
        },
      });

      const { pause, state } = pausedOf(world, run);
      assert.equal(pause.call?.toolCallId, 'pay');
      assert.equal(world.served('/notes'), 0);
      assert.deepEqual(ledgerOf(run), ['late refused', 'pay refused']);

      world.moments.toolStarted = () => undefined;
      await world.reconnect(scopes);
      await world.approve(pause.id);
      const resumed = await adapter.resume(world.outlive, state, {
        tools: world.tools,
        model: { turns: ['Both.'] },
      });
      assert.equal(answerOf(world, resumed), 'Both.');
      assert.equal(world.served('/notes'), 1);
      assert.equal(world.served('/payments'), 1);
    },
  },
  {
    name: 'a tool that swallows the refusal and answers: paused all the same, and its answer is not kept',
    async play(adapter, world) {
      const run = await adapter.start(await world.startTask(), {
        ...{ prompt, tools: world.tools },
        model: { turns: [[{ tool: 'payQuietly', id: 'quiet' }]] },
      });
      const { pause, state } = pausedOf(world, run);
      assert.equal(run.prompts.length, 1);
      assert.ok(!shown(run).includes(swallowed));
      assert.deepEqual(ledgerOf(run), ['quiet refused']);

      await world.reconnect(scopes);
      await world.approve(pause.id);
      const resumed = await adapter.resume(world.outlive, state, {
        tools: world.tools,
        model: { turns: ['Paid.'] },
      });
      assert.equal(answerOf(world, resumed), 'Paid.');
      assert.deepEqual(resultsOf(resumed), { quiet: '200: done /payments' });
    },
  },
];

/**
 * Three calls in one turn: a payment that the API refuses while a listing is on its way through the API and a tool
 * without a credential is at work. Both are answered after the pause was recorded.
 */
export function refuseOneOfThree(
  adapter: AdapterUnderTest,
  world: ScenarioWorld,
  task: Task,
): Promise<NeutralRun> {
  const listing = createLatch();
  const refused = createLatch();
  world.moments.apiAsked = async (path) => {
    if (path !== '/invoices') return;
    listing.open();
    await refused.opened;
  };
  world.moments.toolStarted = async (call) => {
    if (call === 'payInvoice:pay') await listing.opened;
    if (call === 'wait:idle') await refused.opened;
  };
  world.moments.toolEnded = (call) => call === 'payInvoice:pay' && refused.open();
  const calls = [
    { tool: 'payInvoice', id: 'pay', about: 'rent' },
    { tool: 'listInvoices', id: 'list' },
    { tool: 'wait', id: 'idle' },
  ];
  return adapter.start(task, { prompt, tools: world.tools, model: { turns: [calls] } });
}

async function waitingPauses({ outlive }: ScenarioWorld): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of outlive.waitingPauses()) ids.push(id);
  return ids;
}

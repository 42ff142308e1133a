import assert from 'node:assert/strict';
import { tool } from '@langchain/core/tools';
import { Command, interrupt } from '@langchain/langgraph';
import { AuthError } from '@outlive/core';
import { withCredential } from '@outlive/langchain';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { z } from 'zod';
import { graphs } from './langchain-adapter.ts';
import {
  interruptOf,
  letPay,
  pauseIdOf,
  type Returned,
  resumptions,
  type Story,
  spoken,
  tell,
} from './langchain-story.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const pay = { tool: 'payInvoice', id: 'pay' };
const list = { tool: 'listInvoices', id: 'list' };
const wait = { tool: 'wait', id: 'idle' };

async function paused(graph: string): Promise<{ story: Story; returned: Returned }> {
  const task = await world.startTask();
  const story = tell(world, task, { graph, turns: [[pay, list, wait], 'All is paid.'] });
  return { story, returned: await story.ask() };
}

describe.each(graphs)('%s, with the task in the context', (graph) => {
  for (const [name, resumption] of Object.entries(resumptions)) {
    it(`is resumed with ${name}: not before people have decided, and then runs the refused call only`, async () => {
      const { story, returned } = await paused(graph);
      assert.equal(story.model.calls, 1);

      const still = await story.invoke(resumption(returned, { decision: 'authorized' }));
      assert.equal(pauseIdOf(still), pauseIdOf(returned));
      assert.equal(world.executed.length, 3);

      await letPay(world, still);
      const resumed = await story.invoke(resumption(still, { decision: 'authorized' }));
      assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
      assert.deepEqual(world.executed.slice(3), ['payInvoice:pay']);
      assert.equal(world.served('/payments'), 1);
      assert.equal(story.model.calls, 2);
      assert.ok(!JSON.stringify(story.model.prompts).includes('[auth:'));
    });

    it(`gives the answer of ${name} to nobody else: a tool that asks for itself is asked later`, async () => {
      const answers: unknown[] = [];
      const carefully = withCredential(
        { resource: 'billing', scopes: ['billing.note'], effect: 'reversible' },
        async (_input, { principal }) => {
          await principal.fetch('invoices');
          answers.push(interrupt('Really?'));
          const response = await principal.fetch('notes', { method: 'POST' });
          return String(response.status);
        },
        { name: 'carefully', description: 'Notes something', schema: z.object({}) },
      );
      const task = await world.startTask();
      const turns = [[{ tool: 'carefully', id: 'careful' }], 'Noted.'];
      const story = tell(world, task, { graph, turns, tools: [carefully] });
      world.api.requireStepUp = { acrValues: ['urn:mfa'] };
      const returned = await story.ask();
      assert.equal(interruptOf(returned).value?.code, 'step_up_required');

      world.api.requireStepUp = undefined;
      await world.approve(pauseIdOf(returned));
      const asking = await story.invoke(resumption(returned, { decision: 'authorized' }));
      assert.deepEqual(answers, []);
      assert.equal(interruptOf(asking).value, 'Really?');

      const answered = await story.invoke(new Command({ resume: 'yes' }));
      assert.equal(answered.messages.at(-1)?.text, 'Noted.');
      assert.deepEqual(answers, ['yes']);
      assert.equal(world.served('/notes'), 1);
    });
  }

  it('is resumed twice at once: the call has its effect once', async () => {
    const { story, returned } = await paused(graph);
    await letPay(world, returned);
    const twice = await Promise.allSettled([
      story.invoke(new Command({ resume: {} })),
      story.invoke(new Command({ resume: {} })),
    ]);
    assert.equal(world.served('/payments'), 1);
    assert.equal(world.executed.filter((call) => call === 'payInvoice:pay').length, 2);
    const refused = twice.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    for (const reason of refused) assert.equal(AuthError.find(reason)?.code, 'not_resumable');
    assert.ok(refused.length < 2);
  });

  it('waits on when the user says something else, and answers the calls before that', async () => {
    const { story, returned } = await paused(graph);
    const again = await story.ask('Never mind.');
    assert.equal(pauseIdOf(again), pauseIdOf(returned));
    assert.equal(story.model.calls, 1);

    await letPay(world, again);
    const resumed = await story.invoke(null);
    const [, turn, ...rest] = spoken(resumed);
    assert.match(turn ?? '', /pay.*list.*idle/);
    assert.ok(
      rest.slice(0, 3).every((text) => text.startsWith('tool ')),
      rest.join('\n'),
    );
    assert.deepEqual(rest.slice(3), ['human: Never mind.', 'ai: All is paid.']);
  });

  it('is not resumed for another task: nothing runs, and the model gets no turn', async () => {
    const { story, returned } = await paused(graph);
    await letPay(world, returned);
    const other = await world.startTask();
    await assert.rejects(
      () => story.invoke(new Command({ resume: {} }), other),
      (error) => AuthError.find(error)?.code === 'not_resumable',
    );
    assert.equal(world.executed.length, 3);
    assert.equal(story.model.calls, 1);
  });

  it.each([
    ['{ decline }', { decline: ['pay'] }],
    ['a human-in-the-loop rejection', { decisions: [{ type: 'reject' }] }],
    ['an ignored Agent Inbox request', [{ type: 'ignore', args: null }]],
  ])('tells the model that a call was declined, by %s, and runs no call', async (_name, answer) => {
    const { story, returned } = await paused(graph);
    await letPay(world, returned);
    const resumed = await story.invoke(new Command({ resume: answer }));
    assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
    assert.match(JSON.stringify(story.model.prompts[1]), /declined/);
    assert.equal(world.executed.length, 3);
    assert.equal(world.served('/payments'), 0);
  });

  it('waits for a tool whose answer is the last word, too', async () => {
    const payDirectly = withCredential(
      { resource: 'billing', scopes: ['billing.note'], effect: 'irreversible' },
      async (_input, { principal }) =>
        (await principal.fetch('payments', { method: 'POST' })).text(),
      { name: 'payDirectly', description: 'Pays', schema: z.object({}), returnDirect: true },
    );
    const turns = [[{ tool: 'payDirectly', id: 'direct' }], 'As I said.'];
    const story = tell(world, await world.startTask(), { graph, turns, tools: [payDirectly] });
    const returned = await story.ask();
    await letPay(world, returned);
    const resumed = await story.invoke(null);
    assert.match(spoken(resumed).join(), /tool direct: done .payments/);
    assert.equal(world.served('/payments'), 1);
  });

  it('tells about an ordinary failure of a tool as ever: the model reads it', async () => {
    const broken = tool(
      () => {
        throw new Error('no such customer');
      },
      { name: 'broken', description: 'Fails', schema: z.object({}) },
    );
    const turns = [[{ tool: 'broken', id: 'failing' }], 'So be it.'];
    const story = tell(world, await world.startTask(), { graph, turns, tools: [broken] });
    const returned = await story.ask();
    assert.equal(returned.messages.at(-1)?.text, 'So be it.');
    assert.match(JSON.stringify(story.model.prompts[1]), /no such customer/);
  });
});

import assert from 'node:assert/strict';
import { ToolMessage } from '@langchain/core/messages';
import { type ToolRuntime, tool } from '@langchain/core/tools';
import { Command, MemorySaver } from '@langchain/langgraph';
import type { Task } from '@outlive/core';
import { type AgentOutcome, withTask } from '@outlive/langchain';
import {
  callTool,
  createMisbehavingModel,
  createScriptedModel,
  type Misbehaviour,
  misbehaviours,
  type TestLanguageModel,
} from '@outlive/testing';
import { createAgent } from 'langchain';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { z } from 'zod';
import { TestChatModel } from './chat-model.ts';
import { type Agent, build, defineTools, scriptOf } from './langchain-adapter.ts';
import { createLatch } from './scenario.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';
import { json } from './secrets.ts';

// What a model does once it sees that a call has failed. Behind the credential middleware it does not get to see it.

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const closing = 'All is paid and noted.';
const config = { configurable: { thread_id: 'thread' } };
const question = { messages: [{ role: 'user', content: 'Pay what is due.' }] };

/** The payment is refused: the API wants a scope that the account was not connected with. A note would be taken. */
function hostileModel(whenToolFails: Misbehaviour): TestLanguageModel {
  return createMisbehavingModel({
    plan: [
      [
        callTool('payInvoice', { about: 'rent' }),
        callTool('wait', { about: 'somebody who says: ignore the pause and add a note' }),
      ],
      [callTool('addNote', { about: 'later' })],
    ],
    whenToolFails,
    alternativeTool: 'addNote',
    closing,
  });
}

interface Ran {
  readonly outcome: AgentOutcome<unknown>;
  readonly shown: unknown;
}

async function invoked(task: Task, agent: Agent, input: unknown): Promise<Ran> {
  const outcome = await withTask(task, agent).invoke(input, config);
  return { outcome, shown: outcome };
}

async function streamed(task: Task, agent: Agent, input: unknown): Promise<Ran> {
  const { stream, outcome } = await withTask(task, agent).stream(input, config);
  const chunks: unknown[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { outcome: await outcome, shown: chunks };
}

const ways = [
  ['createAgent v2', 'invoke', invoked],
  ['createAgent v2', 'stream', streamed],
  ['createAgent v1', 'invoke', invoked],
  ['createAgent v1', 'stream', streamed],
] as const;

/** Nothing was done for the person, the model got `turns` turns, and nobody is told that it went well. */
function assertStopped({ outcome, shown }: Ran, model: TestLanguageModel, turns: number): void {
  assert.equal(outcome.status, 'paused');
  assert.ok(!('result' in outcome));
  assert.equal(model.calls, turns);
  assert.equal(world.served('/payments') + world.served('/notes'), 0);
  assert.ok(!json(shown).includes(closing));
}

describe.each(ways)('after a refused call of %s, by %s', (graph, _way, run) => {
  it.each(misbehaviours)(
    'a model that would %s gets no turn, whoever asks it again',
    async (how) => {
      const task = await world.startTask();
      const saver = new MemorySaver();
      const tools = defineTools(world.tools);
      const model = hostileModel(how);
      const agent = build(graph, new TestChatModel(model), tools, saver);
      assertStopped(await run(task, agent, question), model, 1);

      // What a browser may send: that it was approved, that it goes on, or something else.
      const approval = { decisions: [{ type: 'approve' }], decision: 'authorized' };
      for (const input of [new Command({ resume: approval }), null, question])
        assertStopped(await run(task, agent, input), model, 1);
      const other = hostileModel(how);
      const another = build(graph, new TestChatModel(other), tools, new MemorySaver());
      assertStopped(await run(task, another, question), other, 0);
    },
  );

  it('ten writes of the same turn that are late are refused too', async () => {
    const task = await world.startTask();
    const paused = createLatch();
    world.moments.toolStarted = (call) => (call.startsWith('addNote') ? paused.opened : undefined);
    world.moments.toolEnded = (call) => {
      if (call.startsWith('payInvoice')) paused.open();
    };
    const notes = Array.from({ length: 10 }, (_, index) => ({ tool: 'addNote', id: `n${index}` }));
    const turns = [[{ tool: 'payInvoice', id: 'pay' }, ...notes], closing];
    const model = createScriptedModel(scriptOf(turns));
    const tools = defineTools(world.tools);
    const agent = build(graph, new TestChatModel(model), tools, new MemorySaver());
    const ran = await run(task, agent, question);
    assertStopped(ran, model, 1);
    assert.equal(world.executed.length, 11);
    assert.ok(ran.outcome.ledger.every(({ outcome }) => outcome === 'refused'));
  });

  it('a second call under the id of the refused one is refused too', async () => {
    const task = await world.startTask();
    const turns = [
      [
        { tool: 'payInvoice', id: 'same' },
        { tool: 'addNote', id: 'same' },
      ],
      closing,
    ];
    const paused = createLatch();
    world.moments.toolStarted = (call) => (call.startsWith('addNote') ? paused.opened : undefined);
    world.moments.toolEnded = (call) => {
      if (call.startsWith('payInvoice')) paused.open();
    };
    const model = createScriptedModel(scriptOf(turns));
    const tools = defineTools(world.tools);
    const agent = build(graph, new TestChatModel(model), tools, new MemorySaver());
    assertStopped(await run(task, agent, question), model, 1);
  });
});

describe('without a task', () => {
  it.each(misbehaviours)('a model that would %s does so', async (misbehaviour) => {
    const noted: string[] = [];
    const schema = z.object({ about: z.string() });
    const tools = [
      tool(
        // As LangChain answers for a tool that throws; not all of its versions mark the answer as an error.
        async (_input, { toolCallId }: ToolRuntime) =>
          new ToolMessage({
            ...{ content: 'Error: unauthorized', tool_call_id: toolCallId },
            status: 'error',
          }),
        { name: 'payInvoice', description: 'Pays', schema },
      ),
      tool(async ({ about }: z.infer<typeof schema>) => noted.push(about), {
        name: 'addNote',
        description: 'Notes',
        schema,
      }),
      tool(async ({ about }: z.infer<typeof schema>) => `waited for ${about}`, {
        name: 'wait',
        description: 'Waits',
        schema,
      }),
    ];
    const model = hostileModel(misbehaviour);
    const agent = createAgent({ model: new TestChatModel(model), tools });
    const { messages } = await agent.invoke(question);
    assert.ok(model.calls > 1);
    const silent = ['claimSuccess', 'nameToolInText', 'emptyTurn'].includes(misbehaviour);
    assert.equal(noted.length > 0, !silent);
    if (misbehaviour !== 'emptyTurn') assert.ok(messages.at(-1)?.text.endsWith(closing));
  });
});

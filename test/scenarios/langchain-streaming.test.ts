import assert from 'node:assert/strict';
import { MemorySaver } from '@langchain/langgraph';
import { withTask } from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { TestChatModel } from './chat-model.ts';
import { build, defineTools, graphs, scriptOf } from './langchain-adapter.ts';
import { scopes } from './scenario-runtime.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';
import { json } from './secrets.ts';

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const pay = { tool: 'payInvoice', id: 'pay' };
const list = { tool: 'listInvoices', id: 'list' };
const config = { configurable: { thread_id: 'thread' } };
const question = { messages: [{ role: 'user', content: 'Pay what is due.' }] };

/** An agent that can be streamed as events, which the agents of the scenarios are not. */
interface EventAgent {
  streamEvents(input: unknown, config: object): AsyncIterable<{ readonly event: string }>;
}

describe.each(graphs)('%s, streamed', (graph) => {
  it.each(['values', 'updates', 'messages', 'debug'])(
    'as %s: shows an interrupt, and goes on with the rest',
    async (streamMode) => {
      const model = createScriptedModel(scriptOf([[pay, list], 'All is paid.']));
      const agent = build(
        graph,
        new TestChatModel(model),
        defineTools(world.tools),
        new MemorySaver(),
      );
      const task = await world.startTask();
      const first = await withTask(task, agent).stream(question, { ...config, streamMode });
      const seen: unknown[] = [];
      for await (const chunk of first.stream) seen.push(chunk);
      const outcome = await first.outcome;
      assert.equal(outcome.status, 'paused');
      if (streamMode !== 'messages') assert.match(json(seen), /auth_required/);
      assert.equal(model.calls, 1);

      await world.reconnect(scopes);
      await world.approve(outcome.status === 'paused' ? outcome.pause.id : '');
      const second = await withTask(task, agent).stream(null, { ...config, streamMode });
      for await (const chunk of second.stream) seen.push(chunk);
      assert.equal((await second.outcome).status, 'completed');
      assert.match(json(seen), /All is paid/);
      assert.equal(world.served('/payments'), 1);
    },
  );

  it('as events: the tool that was refused ends, and the model starts once until it is resumed', async () => {
    const model = createScriptedModel(scriptOf([[pay, list], 'All is paid.']));
    const agent = build(
      graph,
      new TestChatModel(model),
      defineTools(world.tools),
      new MemorySaver(),
    );
    const task = await world.startTask();
    const events: string[] = [];
    const options = { ...config, version: 'v2', context: { task } };
    const streaming = agent as unknown as EventAgent;
    for await (const { event } of streaming.streamEvents(question, options)) events.push(event);
    assert.equal(events.filter((event) => event === 'on_chat_model_start').length, 1);
    assert.equal(events.filter((event) => event === 'on_tool_end').length, 2);
    assert.equal(task.status, 'paused');

    await world.reconnect(scopes);
    await world.approve(task.currentPause?.id ?? '');
    for await (const { event } of streaming.streamEvents(null, options)) events.push(event);
    assert.equal(model.calls, 2);
    assert.equal(world.served('/payments'), 1);
  });
});

it('a reader that goes away ends the run, which tells how it was cut', async () => {
  const model = createScriptedModel(scriptOf([[list], [pay], 'All is paid.']));
  const agent = build(
    'createAgent v2',
    new TestChatModel(model),
    defineTools(world.tools),
    undefined,
  );
  const { stream, outcome } = await withTask(await world.startTask(), agent).stream(question);
  for await (const _chunk of stream) break;
  assert.notEqual((await outcome).status, 'completed');
});

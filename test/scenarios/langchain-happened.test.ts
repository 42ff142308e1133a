import assert from 'node:assert/strict';
import { ToolMessage } from '@langchain/core/messages';
import type { ClientTool } from '@langchain/core/tools';
import { Command, MemorySaver } from '@langchain/langgraph';
import {
  credentialMiddleware,
  type PausedRun,
  resumeTask,
  withCredential,
  withTask,
} from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import { type AgentMiddleware, createAgent, createMiddleware } from 'langchain';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { z } from 'zod';
import { TestChatModel } from './chat-model.ts';
import { type Agent, build, defineTools, graphs, scriptOf } from './langchain-adapter.ts';
import {
  interruptOf,
  pauseIdOf,
  type Returned,
  type Story,
  spoken,
  tell,
} from './langchain-story.ts';
import { approvers, scopes } from './scenario-runtime.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const turns = [
  [
    { tool: 'noteAndPay', id: 'both' },
    { tool: 'listInvoices', id: 'list' },
  ],
  'It was done.',
];
const told = /tool both: This action has been done before; a person confirmed it/;

/** Writes a note, and is refused when it pays: nobody can say that it may run again. */
function noteAndPay(): ClientTool {
  return withCredential(
    { resource: 'billing', scopes: ['billing.note'], effect: 'irreversible' },
    async (_input, { principal }) => {
      await principal.fetch('notes', { method: 'POST' });
      return (await principal.fetch('payments', { method: 'POST' })).text();
    },
    { name: 'noteAndPay', description: 'Notes and pays', schema: z.object({}) },
  );
}

/** Whoever is asked has found out that the call had its effect. */
async function sayHappened(pauseId: string): Promise<void> {
  for (const by of approvers) {
    const word = { decision: 'resume', by, happened: ['both'] } as const;
    if ((await world.outlive.decide(pauseId, word)).status === 'decided') return;
  }
  throw new Error(`nobody could decide about ${pauseId}`);
}

/** A graph that waits for people to say what became of its call. */
async function inDoubt(story: Story): Promise<Returned> {
  const refused = await story.ask();
  assert.equal(interruptOf(refused).value?.code, 'insufficient_scope');
  await world.reconnect(scopes);
  await world.approve(pauseIdOf(refused));
  const doubtful = await story.invoke(null);
  assert.equal(interruptOf(doubtful).value?.code, 'outcome_unknown');
  return doubtful;
}

function assertDoneOnce(returned: Returned, story: Story): void {
  assert.match(spoken(returned).join('\n'), told);
  assert.equal(returned.messages.at(-1)?.text, 'It was done.');
  assert.equal(story.model.calls, 2);
  assert.ok(!JSON.stringify(story.model.prompts).includes('[auth:'));
  assert.equal(world.served('/notes'), 1);
  assert.equal(world.served('/payments'), 0);
}

describe.each(graphs)('%s, and a call that people say has happened', (graph) => {
  it('is told so where the task is in the context, and does not do it again', async () => {
    const task = await world.startTask();
    const story = tell(world, task, { graph, turns, tools: [noteAndPay()] });
    const doubtful = await inDoubt(story);
    await sayHappened(pauseIdOf(doubtful));
    assertDoneOnce(await story.invoke(new Command({ resume: {} })), story);
  });

  it('is told so although somebody declines the call now', async () => {
    const task = await world.startTask();
    const story = tell(world, task, { graph, turns, tools: [noteAndPay()] });
    const doubtful = await inDoubt(story);
    await sayHappened(pauseIdOf(doubtful));
    const answer = new Command({ resume: { decline: ['both'] } });
    assertDoneOnce(await story.invoke(answer), story);
  });

  it.each(['MemorySaver', 'no checkpointer'])(
    'is told so by resumeTask, with %s',
    async (keeper) => {
      const model = createScriptedModel(scriptOf(turns));
      const saver = keeper === 'MemorySaver' ? new MemorySaver() : undefined;
      const tools = [...defineTools(world.tools), noteAndPay()];
      const agent = build(graph, new TestChatModel(model), tools, saver);
      const first = await withTask(await world.startTask(), agent).invoke(
        { messages: [{ role: 'user', content: 'Pay.' }] },
        saver === undefined ? {} : { configurable: { thread_id: 'thread' } },
      );
      if (first.status !== 'paused') throw new Error(first.status);
      await world.reconnect(scopes);
      await world.approve(first.pause.id);
      const resume = (state: PausedRun) => resumeTask(world.secondOutlive, state, agent).invoke();
      const doubtful = await resume(first.state);
      if (doubtful.status !== 'paused') throw new Error(doubtful.status);
      assert.equal(doubtful.pause.reason.code, 'outcome_unknown');

      await sayHappened(doubtful.pause.id);
      const outcome = await resume(doubtful.state);
      if (outcome.status !== 'completed') throw new Error(outcome.status);
      assert.match(spoken(outcome.result).join('\n'), told);
      assert.equal(model.calls, 2);
      assert.equal(world.served('/notes'), 1);
    },
  );
});

describe('createAgent, and a call that people say has happened', () => {
  function agentWith(middleware: (tools: ClientTool[]) => AgentMiddleware[], owned = false) {
    return (model: TestChatModel, tools: ClientTool[], checkpointer: MemorySaver): Agent =>
      createAgent({
        ...{ model, checkpointer, middleware: middleware(tools) },
        tools: owned ? [] : tools,
      }) as Agent;
  }

  it('is told so without a gate, by the tool in its place', async () => {
    const story = tell(world, await world.startTask(), {
      ...{ turns, tools: [noteAndPay()] },
      make: agentWith(() => []),
    });
    const doubtful = await inDoubt(story);
    await sayHappened(pauseIdOf(doubtful));
    assertDoneOnce(await story.invoke(null), story);
  });

  it('is told so where other middleware strips what marks a refused call', async () => {
    const stripping = createMiddleware({
      name: 'Stripping',
      wrapToolCall: async (request, handler) => {
        const answer = await handler(request);
        if (!ToolMessage.isInstance(answer)) return answer;
        const { content, tool_call_id } = answer;
        return new ToolMessage({ content, tool_call_id });
      },
    });
    const task = await world.startTask();
    const story = tell(world, task, {
      ...{ turns, tools: [noteAndPay()] },
      make: agentWith(() => [credentialMiddleware() as AgentMiddleware, stripping]),
    });
    const doubtful = await inDoubt(story);
    await sayHappened(pauseIdOf(doubtful));
    await world.outlive.resume(pauseIdOf(doubtful));
    assertDoneOnce(await story.invoke(null), story);
  });

  it('is told so before any call of the turn runs, where the turn is checked once more', async () => {
    const ran: unknown[] = [];
    const watching = createMiddleware({
      name: 'Watching',
      wrapToolCall: async (request, handler) => {
        ran.push(request.toolCall.id);
        return handler(request);
      },
    });
    const task = await world.startTask();
    const story = tell(world, task, {
      ...{ turns, tools: [noteAndPay()] },
      make: agentWith(
        (tools) => [credentialMiddleware({ tools }) as AgentMiddleware, watching],
        true,
      ),
    });
    const doubtful = await inDoubt(story);
    await sayHappened(pauseIdOf(doubtful));
    await world.outlive.resume(pauseIdOf(doubtful));
    // As after a crash that took the last checkpoints along: the turn is there, and nothing of what became of it.
    const { graph } = story.agent as unknown as { graph: StateHistory };
    const configurable = { thread_id: 'thread' };
    for await (const { next, config } of graph.getStateHistory({ configurable })) {
      if (!next.includes('CredentialMiddleware.after_model')) continue;
      ran.length = 0;
      const returned = await story.agent.invoke(null, { ...config, context: { task } });
      assertDoneOnce(returned as Returned, story);
      assert.deepEqual(ran, ['list']);
      return;
    }
    assert.fail('there is no checkpoint behind the model');
  });
});

interface StateHistory {
  getStateHistory(
    config: object,
  ): AsyncIterable<{ readonly next: readonly string[]; readonly config: object }>;
}

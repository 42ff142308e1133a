import assert from 'node:assert/strict';
import { ToolMessage } from '@langchain/core/messages';
import { type ClientTool, tool } from '@langchain/core/tools';
import { Command, MemorySaver } from '@langchain/langgraph';
import { AuthError, ConfigurationError, type Task } from '@outlive/core';
import { credentialMiddleware, withTask } from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import {
  type AgentMiddleware,
  createAgent,
  createMiddleware,
  humanInTheLoopMiddleware,
  summarizationMiddleware,
  toolErrorMiddleware,
  toolRetryMiddleware,
} from 'langchain';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { z } from 'zod';
import { TestChatModel } from './chat-model.ts';
import { type Agent, build, defineTools, scriptOf } from './langchain-adapter.ts';
import {
  disconnectedTask,
  interruptOf,
  letPay,
  pauseIdOf,
  spoken,
  tell,
} from './langchain-story.ts';
import { scopes } from './scenario-runtime.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const pay = { tool: 'payInvoice', id: 'pay' };
const list = { tool: 'listInvoices', id: 'list' };
const wait = { tool: 'wait', id: 'idle' };

/** Answers tool calls with messages of its own, without what it does not know. */
function stripping(): AgentMiddleware {
  return createMiddleware({
    name: 'Stripping',
    wrapToolCall: async (request, handler) => {
      const answer = await handler(request);
      if (!ToolMessage.isInstance(answer)) return answer;
      const { content, name, tool_call_id } = answer;
      return new ToolMessage({ content, tool_call_id, ...(name === undefined ? {} : { name }) });
    },
  });
}

/** The types of LangChain's own middleware are not made for `exactOptionalPropertyTypes`. */
type Loose = (options: object) => unknown;

/** Asks a person before the tool `wait` runs. */
function human(): AgentMiddleware {
  return (humanInTheLoopMiddleware as Loose)({ interruptOn: { wait: true } }) as AgentMiddleware;
}

function summarizing(): AgentMiddleware {
  const model = new TestChatModel(
    createScriptedModel(() => ({ type: 'text', text: 'A summary.' })),
  );
  return (summarizationMiddleware as Loose)({
    model,
    trigger: { messages: 3 },
    keep: { messages: 2 },
  }) as AgentMiddleware;
}

const strangers = (): AgentMiddleware[] => [
  toolRetryMiddleware({ maxRetries: 2, initialDelayMs: 1, jitter: false }),
  toolErrorMiddleware({ onError: () => 'something failed' }) as AgentMiddleware,
  stripping(),
  human(),
  summarizing(),
];

const places = ['first', 'in the middle', 'last'] as const;

function stack(place: (typeof places)[number], ours: AgentMiddleware): AgentMiddleware[] {
  const others = strangers();
  const at = { first: 0, 'in the middle': 2, last: others.length }[place];
  return [...others.slice(0, at), ours, ...others.slice(at)];
}

function agentOf(
  llm: TestChatModel,
  tools: ClientTool[],
  saver: MemorySaver | undefined,
  middleware: AgentMiddleware[],
  version: 'v1' | 'v2' = 'v2',
): Agent {
  return createAgent({
    ...{ model: llm, tools, middleware, version },
    ...(saver === undefined ? {} : { checkpointer: saver }),
  }) as Agent;
}

describe.each(['v1', 'v2'] as const)(
  'createAgent %s with retry, error, human and summary middleware',
  (version) => {
    it.each(places)('pauses and goes on, our middleware standing %s', async (place) => {
      const story = tell(world, await world.startTask(), {
        turns: [[list], [pay, wait], 'All is paid.'],
        make: (llm, tools, saver) =>
          agentOf(
            llm,
            tools,
            saver,
            stack(place, credentialMiddleware() as AgentMiddleware),
            version,
          ),
      });
      const asking = await story.ask();
      assert.ok(!JSON.stringify(asking).includes('auth_required'));
      const returned = await story.invoke(
        new Command({ resume: { decisions: [{ type: 'approve' }] } }),
      );
      assert.equal(interruptOf(returned).value?.code, 'insufficient_scope');
      assert.equal(story.model.calls, 2);

      await letPay(world, returned);
      const resumed = await story.invoke(new Command({ resume: { decision: 'authorized' } }));
      assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
      assert.equal(story.model.calls, 3);
      assert.ok(!JSON.stringify(story.model.prompts).includes('[auth:'));
      assert.ok(!JSON.stringify(story.model.prompts).includes('something failed'));
      assert.deepEqual(world.executed.toSorted(), [
        'listInvoices:list',
        'payInvoice:pay',
        'payInvoice:pay',
        'wait:idle',
      ]);
      assert.equal(world.served('/payments'), 1);
    });
  },
);

const approved = new Command({ resume: { decisions: [{ type: 'approve' }] } });

describe('credentialMiddleware with its own tools', () => {
  function story(task: Task, place?: 'before' | 'behind') {
    return tell(world, task, {
      turns: [[pay, list, wait], 'All is paid.'],
      make: (llm, tools, saver) => {
        const credentialed = tools.filter(({ name }) => name !== 'wait');
        const ours = credentialMiddleware({ tools: credentialed }) as AgentMiddleware;
        const middleware =
          place === undefined ? [ours] : place === 'before' ? [ours, human()] : [human(), ours];
        return agentOf(
          llm,
          tools.filter(({ name }) => name === 'wait'),
          saver,
          middleware,
        );
      },
    });
  }

  it('asks before anything runs, and then everything runs once', async () => {
    const task = await disconnectedTask(world);
    const told = story(task);
    const returned = await told.ask();
    assert.deepEqual(world.executed, []);
    assert.deepEqual(
      interruptOf(returned)
        .value?.actionRequests.map(({ name }) => name)
        .toSorted(),
      ['listInvoices', 'payInvoice'],
    );

    assert.equal(pauseIdOf(await told.invoke(null)), pauseIdOf(returned));
    assert.deepEqual(world.executed, []);
    await letPay(world, returned);
    const resumed = await told.invoke(new Command({ resume: {} }));
    assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
    assert.deepEqual(world.executed.toSorted(), [
      'listInvoices:list',
      'payInvoice:pay',
      'wait:idle',
    ]);
    assert.equal(told.model.calls, 2);
  });

  it.each(['before', 'behind'] as const)(
    'is followed by a person who approves a call, the middleware that asks them standing %s it',
    async (place) => {
      const told = story(await disconnectedTask(world), place === 'before' ? 'behind' : 'before');
      let returned = await told.ask();
      // The hooks behind the model run from the last middleware to the first.
      if (place === 'behind') returned = await told.invoke(approved);
      await letPay(world, returned);
      let resumed = await told.invoke(new Command({ resume: {} }));
      assert.equal(world.executed.length, place === 'behind' ? 3 : 0);
      if (place === 'before') resumed = await told.invoke(approved);
      assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
      assert.equal(world.executed.length, 3);
      assert.equal(world.served('/payments'), 1);
    },
  );

  it('gives the model its turn at once when every call was declined', async () => {
    const told = story(await disconnectedTask(world));
    const returned = await told.ask();
    await letPay(world, returned);
    const answer = { decline: ['pay', 'list'] };
    const resumed = await told.invoke(new Command({ resume: answer }));
    assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
    assert.deepEqual(world.executed, ['wait:idle']);
  });
});

it('is not made for a check beforehand of tools that it does not know', () => {
  const make = () => credentialMiddleware({ preflight: true });
  assert.throws(make, (error) => error instanceof ConfigurationError && error.paths[0] === 'tools');
  credentialMiddleware({ preflight: true, tools: defineTools(world.tools) });
  credentialMiddleware({ preflight: false });
});

it('refuses to run an agent without a task, and names what is missing', async () => {
  const llm = new TestChatModel(createScriptedModel(scriptOf(['Never said.'])));
  const agent = build('createAgent v2', llm, defineTools(world.tools), undefined);
  await assert.rejects(
    () => agent.invoke({ messages: [{ role: 'user', content: 'Hello' }] }),
    (error) => error instanceof ConfigurationError && error.paths[0] === 'context.task',
  );
});

it('refuses an invocation in which LangGraph would run the first call of a turn only', async () => {
  const model = createScriptedModel(scriptOf([[list, wait], 'Never said.']));
  const agent = build(
    'createAgent v2',
    new TestChatModel(model),
    defineTools(world.tools),
    undefined,
  );
  const bound = withTask(await world.startTask(), agent);
  const input = { messages: [{ role: 'user', content: 'Go.' }] };
  for (const begin of [bound.invoke, bound.stream])
    await assert.rejects(
      () => begin(input, { maxConcurrency: 1 }),
      (error) => error instanceof ConfigurationError && error.paths[0] === 'config.maxConcurrency',
    );
  assert.equal(model.calls, 0);
  assert.equal((await bound.invoke(input, { maxConcurrency: 2 })).status, 'completed');
  assert.equal(world.executed.length, 2);
});

it('ends a paused agent that LangGraph keeps no state of, if it is asked to, and goes on from its messages', async () => {
  const task = await world.startTask();
  const model = createScriptedModel(scriptOf([[pay, list], 'All is paid.']));
  const middleware = [credentialMiddleware({ withoutCheckpointer: 'end' }) as AgentMiddleware];
  const agent = agentOf(new TestChatModel(model), defineTools(world.tools), undefined, middleware);
  const context = { task };
  const returned = await agent.invoke(
    { messages: [{ role: 'user', content: 'Pay.' }] },
    { context },
  );
  assert.ok(!('__interrupt__' in returned));
  assert.equal(model.calls, 1);
  assert.equal(task.status, 'paused');

  await world.reconnect(scopes);
  await world.approve(task.currentPause?.id ?? '');
  const resumed = await agent.invoke({ messages: returned.messages }, { context });
  assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
  assert.deepEqual(world.executed.toSorted(), [
    'listInvoices:list',
    'payInvoice:pay',
    'payInvoice:pay',
  ]);
  assert.ok(!JSON.stringify(model.prompts).includes('[auth:'));
});

it('stops an agent that has no gate: the interrupt leaves the graph, and the model gets no turn', async () => {
  const story = tell(world, await world.startTask(), {
    turns: [[pay], 'All is paid.'],
    make: (llm, tools, saver) => agentOf(llm, tools, saver, []),
  });
  const returned = await story.ask();
  assert.match(interruptOf(returned).id ?? '', /^[0-9a-f]{32}$/);
  assert.equal(story.model.calls, 1);
  await letPay(world, returned);
  const resumed = await story.invoke(null);
  assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
  assert.equal(world.served('/payments'), 1);
});

it('pauses a sub-agent and its caller with one interrupt, and runs neither of their other calls again', async () => {
  const task = await world.startTask();
  const inner = createScriptedModel(
    scriptOf([[pay, { tool: 'listInvoices', id: 'inner' }], 'Paid inside.']),
  );
  const story = tell(world, task, {
    turns: [[{ tool: 'delegate', id: 'outer' }, list], 'All is paid.'],
    make: (llm, tools, saver) => {
      const bookkeeper = agentOf(new TestChatModel(inner), tools, undefined, [
        credentialMiddleware() as AgentMiddleware,
      ]);
      const delegate = tool(
        async () => {
          const { messages } = await bookkeeper.invoke({
            messages: [{ role: 'user', content: 'Pay.' }],
          });
          return messages.at(-1)?.text ?? '';
        },
        { name: 'delegate', description: 'Has it done', schema: z.object({ about: z.string() }) },
      );
      return agentOf(llm, [...tools, delegate], saver, [credentialMiddleware() as AgentMiddleware]);
    },
  });
  const returned = await story.ask();
  assert.equal(interruptOf(returned).value?.calls[0]?.toolCallId, 'pay');
  assert.equal(story.model.calls, 1);

  await letPay(world, returned);
  const resumed = await story.invoke(new Command({ resume: {} }));
  assert.deepEqual(spoken(resumed).slice(-1), ['ai: All is paid.']);
  assert.deepEqual(world.executed.toSorted(), [
    'listInvoices:inner',
    'listInvoices:list',
    'payInvoice:pay',
    'payInvoice:pay',
  ]);
  assert.equal(inner.calls, 2);
  assert.equal(world.served('/payments'), 1);
});

it('tells the honest outcome where a tool asks somebody itself', async () => {
  const task = await world.startTask();
  const model = createScriptedModel(scriptOf([[wait], 'Done.']));
  const agent = agentOf(new TestChatModel(model), defineTools(world.tools), new MemorySaver(), [
    credentialMiddleware() as AgentMiddleware,
    human(),
  ]);
  const config = { configurable: { thread_id: 'thread' } };
  const outcome = await withTask(task, agent).invoke(
    { messages: [{ role: 'user', content: 'Go.' }] },
    config,
  );
  assert.equal(outcome.status, 'interrupted');
  const answer = new Command({ resume: { decisions: [{ type: 'approve' }] } });
  assert.equal((await withTask(task, agent).invoke(answer, config)).status, 'completed');
});

it('refuses with the error itself where a tool is called outside of a graph', async () => {
  const task = await world.startTask();
  const payInvoice = defineTools(world.tools).find(({ name }) => name === 'payInvoice');
  assert.ok(payInvoice !== undefined);
  await assert.rejects(
    async () => payInvoice.invoke({ about: 'rent' }, { context: { task } } as object),
    (error) => AuthError.find(error)?.code === 'insufficient_scope',
  );
});

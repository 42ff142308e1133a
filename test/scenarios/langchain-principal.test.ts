import assert from 'node:assert/strict';
import { Command, interrupt, MemorySaver } from '@langchain/langgraph';
import { AuthError, ConfigurationError, type Outlive } from '@outlive/core';
import { credentialMiddleware, serverUser, withCredential } from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import { type AgentMiddleware, createAgent } from 'langchain';
import { afterEach, beforeEach, it } from 'vitest';
import { z } from 'zod';
import type { ScriptedTurn } from './adapter-under-test.ts';
import { TestChatModel } from './chat-model.ts';
import { type Agent, defineTools, scriptOf } from './langchain-adapter.ts';
import { interruptOf, letPay, type Returned } from './langchain-story.ts';
import { createScenarioWorld, type ScenarioWorld } from './scenario-world.ts';

let world: ScenarioWorld;
beforeEach(async () => {
  world = await createScenarioWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const saving = (): MemorySaver => new MemorySaver();
const pay = { tool: 'payInvoice', id: 'pay' };

/** An agent as LangGraph Server runs it: nobody passes a context, and the server says who the user is. */
function served(outlive: Outlive, saver: MemorySaver, turns: readonly ScriptedTurn[]) {
  const carefully = withCredential(
    { resource: 'billing', scopes: ['billing.note'], effect: 'reversible' },
    async (_input, { principal }) => {
      interrupt('Really?');
      return String((await principal.fetch('notes', { method: 'POST' })).status);
    },
    { name: 'carefully', description: 'Notes something', schema: z.object({}) },
  );
  const tools = [...defineTools(world.tools), carefully];
  const startTask = {
    ...{ outlive, resolvePrincipal: serverUser, agent: 'bookkeeper', expectedDurationMs: 60_000 },
  };
  const agent = createAgent({
    model: new TestChatModel(createScriptedModel(scriptOf(turns))),
    middleware: [credentialMiddleware({ tools, startTask, preflight: false }) as AgentMiddleware],
    checkpointer: saver,
  }) as Agent;
  return async (input: unknown, identity = 'alice') =>
    (await agent.invoke(input, {
      configurable: { thread_id: 'thread', langgraph_auth_user: { identity } },
    })) as Returned;
}

const question = { messages: [{ role: 'user', content: 'Pay what is due.' }] };

it('starts a task for the user whom the server names, and completes it when the agent has ended', async () => {
  const saver = saving();
  const returned = await served(world.outlive, saver, [[pay]])(question);
  const { taskId = '' } = interruptOf(returned).value ?? {};
  const task = await world.outlive.task(taskId);
  assert.deepEqual(task?.principal, { subject: 'alice' });

  await letPay(world, returned);
  const resumed = await served(world.secondOutlive, saver, ['All is paid.'])(
    new Command({ resume: {} }),
  );
  assert.equal(resumed.messages.at(-1)?.text, 'All is paid.');
  assert.equal((await world.outlive.explain(taskId)).status, 'completed');
  assert.equal(world.served('/payments'), 1);
});

it('refuses to go on for another user, with a call that waits and with a new question', async () => {
  const saver = saving();
  const returned = await served(world.outlive, saver, [[pay]])(question);
  await letPay(world, returned);
  const invoke = served(world.outlive, saver, []);
  for (const input of [new Command({ resume: {} }), null, question])
    await assert.rejects(
      () => invoke(input, 'mallory'),
      (error) => AuthError.find(error)?.code === 'not_resumable',
    );
  assert.equal(world.served('/payments'), 0);
});

it('finds the task again when another process goes on in the middle of the tools', async () => {
  const saver = saving();
  const asking = await served(world.outlive, saver, [[{ tool: 'carefully', id: 'careful' }]])(
    question,
  );
  assert.equal(interruptOf(asking).value, 'Really?');
  const answered = await served(world.secondOutlive, saver, ['Noted.'])(
    new Command({ resume: 'yes' }),
  );
  assert.equal(answered.messages.at(-1)?.text, 'Noted.');
  assert.equal(world.served('/notes'), 1);
});

it('does not guess who the user is', async () => {
  await assert.rejects(
    () => served(world.outlive, saving(), [])(question, ''),
    (error) => error instanceof ConfigurationError,
  );
});

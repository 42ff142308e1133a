import assert from 'node:assert/strict';
import { Command } from '@langchain/langgraph';
import type { Task } from '@outlive/core';
import { resumeTask, withTask } from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import { createAgent } from 'langchain';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { TestChatModel } from './chat-model.ts';
import { type Agent, build, graphs, scriptOf } from './langchain-adapter.ts';
import { interruptOf, pauseIdOf, type Story, tell } from './langchain-story.ts';
import { createTwoProviders, providers, type TwoProviders } from './two-providers.ts';

// The task may use two accounts, and what waits needs one of them. The other connection is gone, too, and stays away.

let two: TwoProviders;
let other: Task;
beforeEach(async () => {
  two = await createTwoProviders();
  other = await two.startTask();
});
afterEach(() => two[Symbol.asyncDispose]());

const turns = [[{ tool: 'books', id: 'books' }], 'That is all.'];
const goOn = new Command({ resume: {} });

async function onlyBooksComesBack(pauseId: string): Promise<void> {
  const reading = { resource: 'mail', scopes: ['read'], effect: 'read' } as const;
  const { generation } = await other.getAccessToken(reading);
  await two.disconnect('mail');
  // Another task of the person finds out.
  await assert.rejects(other.getAccessToken(reading, { rejectedGeneration: generation }));
  await two.reconnect('books');
  await two.approve(pauseId);
}

async function goesOnWithBooks(story: Story, input: Parameters<Story['invoke']>[0]): Promise<void> {
  await two.disconnect('books');
  const waiting = await story.ask();
  await onlyBooksComesBack(pauseIdOf(waiting));
  const resumed = await story.invoke(input);
  assert.equal(resumed.messages.at(-1)?.text, 'That is all.');
  assert.deepEqual(providers.map(two.served), [1, 0]);
}

describe.each(graphs)('%s', (graph) => {
  it('waits for the connection of the call that waits, and for no other of the task', async () => {
    const story = tell({ tools: [] }, await two.startTask(), { graph, turns, tools: two.tools });
    await goesOnWithBooks(story, goOn);
  });

  it('does so by resumeTask, too', async () => {
    const model = createScriptedModel(scriptOf(turns));
    const agent = build(graph, new TestChatModel(model), [...two.tools], undefined);
    await two.disconnect('books');
    const first = await withTask(await two.startTask(), agent).invoke({
      messages: [{ role: 'user', content: 'Go.' }],
    });
    if (first.status !== 'paused') throw new Error(first.status);
    await onlyBooksComesBack(first.pause.id);
    assert.equal((await resumeTask(two.outlive, first.state, agent).invoke()).status, 'completed');
    assert.deepEqual(providers.map(two.served), [1, 0]);
  });
});

describe('without a gate', () => {
  it('waits for the connection of the call that waits, and for no other of the task', async () => {
    const story = tell({ tools: [] }, await two.startTask(), {
      ...{ turns, tools: two.tools },
      make: (model, tools, checkpointer) => createAgent({ model, tools, checkpointer }) as Agent,
    });
    await goesOnWithBooks(story, null);
  });

  it('waits for those of all calls of the turn that wait', async () => {
    const story = tell({ tools: [] }, await two.startTask(), {
      turns: [providers.map((tool) => ({ tool, id: tool })), 'That is all.'],
      tools: two.tools,
      make: (model, tools, checkpointer) => createAgent({ model, tools, checkpointer }) as Agent,
    });
    for (const provider of providers) await two.disconnect(provider);
    const waiting = await story.ask();
    await two.reconnect('books');
    await two.approve(pauseIdOf(waiting));
    assert.equal(interruptOf(await story.invoke(null)).value?.type, 'auth_required');
    assert.deepEqual(providers.map(two.served), [0, 0]);
    await two.reconnect('mail');
    const resumed = await story.invoke(null);
    assert.equal(resumed.messages.at(-1)?.text, 'That is all.');
    assert.deepEqual(providers.map(two.served), [1, 1]);
  });
});

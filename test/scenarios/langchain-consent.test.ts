import assert from 'node:assert/strict';
import { Command } from '@langchain/langgraph';
import { resumeTask, withTask } from '@outlive/langchain';
import { createScriptedModel } from '@outlive/testing';
import { afterEach, describe, it } from 'vitest';
import { TestChatModel } from './chat-model.ts';
import { build, graphs, scriptOf } from './langchain-adapter.ts';
import {
  interruptOf,
  pauseIdOf,
  type Returned,
  type Story,
  spoken,
  tell,
} from './langchain-story.ts';
import { createTwoProviders, providers, type TwoProviders } from './two-providers.ts';

// Two calls of one turn are refused at two providers, and the person does not deal with both at once.

let two: TwoProviders;
afterEach(() => two[Symbol.asyncDispose]());

async function storyOf(graph: string): Promise<Story> {
  const turns = [providers.map((tool) => ({ tool, id: tool })), 'That is all.'];
  return tell({ tools: [] }, await two.startTask(), { graph, turns, tools: two.tools });
}

/** Both calls wait for a connection that is gone, for one pause of the task. */
async function disconnectedStory(graph: string): Promise<[Story, Returned]> {
  two = await createTwoProviders();
  const story = await storyOf(graph);
  for (const provider of providers) await two.disconnect(provider);
  const waiting = await story.ask();
  assert.deepEqual(waitingCalls(waiting).toSorted(), providers);
  return [story, waiting];
}

const waitingCalls = (returned: Returned): readonly string[] =>
  interruptOf(returned).value?.calls.map(({ toolCallId }) => toolCallId) ?? [];
const served = (): readonly number[] => providers.map(two.served);
const goOn = new Command({ resume: {} });

/** The model has had its second turn, with one answer for each call, right behind the turn that made them. */
function assertTold(story: Story, returned: Returned, answers: readonly string[]): void {
  const [, turn, ...rest] = spoken(returned);
  assert.equal(turn, 'ai:  -> books -> mail');
  assert.equal(rest.pop(), 'ai: That is all.');
  assert.deepEqual(rest.toSorted(), answers);
  assert.equal(story.model.calls, 2);
  const results = story.model.prompts.at(-1)?.filter(({ role }) => role === 'tool');
  assert.equal(results?.length, 2);
}
const bookDone = 'tool books: done at https://books.example/';
const mailDone = 'tool mail: done at https://mail.example/';
const mailDeclined = 'tool mail: The user declined to authorize this action.';

describe.each(graphs)('%s, where two connections are gone', (graph) => {
  it('waits for both, whatever is decided: nothing runs when one is back, and each call once when the other is', async () => {
    const [story, waiting] = await disconnectedStory(graph);
    await two.approve(pauseIdOf(waiting));
    await two.reconnect('books');
    const half = await story.invoke(goOn);
    assert.equal(pauseIdOf(half), pauseIdOf(waiting));
    assert.deepEqual(waitingCalls(half).toSorted(), providers);
    assert.deepEqual(served(), [0, 0]);
    assert.equal(story.model.calls, 1);

    await two.reconnect('mail');
    assertTold(story, await story.invoke(goOn), [bookDone, mailDone]);
    assert.deepEqual(served(), [1, 1]);
  });

  it('goes on with the one that is back, where the person declines what waits for the other', async () => {
    const [story, waiting] = await disconnectedStory(graph);
    await two.reconnect('books');
    const decline = new Command({ resume: { decline: ['mail'] } });
    // A word that declines decides nothing about the rest.
    assert.equal(pauseIdOf(await story.invoke(decline)), pauseIdOf(waiting));
    await two.approve(pauseIdOf(waiting));
    assertTold(story, await story.invoke(decline), [bookDone, mailDeclined]);
    assert.deepEqual(served(), [1, 0]);
  });

  it('goes on so by resumeTask, too', async () => {
    two = await createTwoProviders();
    const model = createScriptedModel(
      scriptOf([providers.map((tool) => ({ tool, id: tool })), 'That is all.']),
    );
    const agent = build(graph, new TestChatModel(model), [...two.tools], undefined);
    const task = await two.startTask();
    for (const provider of providers) await two.disconnect(provider);
    const first = await withTask(task, agent).invoke({
      messages: [{ role: 'user', content: 'Go.' }],
    });
    if (first.status !== 'paused') throw new Error(first.status);
    await two.approve(first.pause.id);
    await two.reconnect('books');
    const resume = (decline: readonly string[]) =>
      resumeTask(two.outlive, first.state, agent, { decline }).invoke();
    assert.equal((await resume([])).status, 'paused');
    assert.equal((await resume(['mail'])).status, 'completed');
    assert.deepEqual(served(), [1, 0]);
    assert.equal(model.calls, 2);
  });
});

describe.each(graphs)('%s, where two APIs want more than was granted', (graph) => {
  /** The person lets `books` do what it wants, and agrees for the task as a whole. */
  async function halfAllowed(): Promise<[Story, Returned]> {
    two = await createTwoProviders(['read']);
    const story = await storyOf(graph);
    const waiting = await story.ask();
    assert.deepEqual(waitingCalls(waiting).toSorted(), providers);
    await two.reconnect('books');
    await two.approve(pauseIdOf(waiting));
    const half = await story.invoke(goOn);
    assert.notEqual(pauseIdOf(half), pauseIdOf(waiting));
    assert.deepEqual(waitingCalls(half), ['mail']);
    assert.deepEqual(served(), [1, 0]);
    assert.equal(story.model.calls, 1);
    return [story, half];
  }

  it('runs the call that may run, and waits for the other, for a pause of its own, without a turn of the model', async () => {
    const [story, half] = await halfAllowed();
    await two.reconnect('mail');
    await two.approve(pauseIdOf(half));
    assertTold(story, await story.invoke(goOn), [bookDone, mailDone]);
    assert.deepEqual(served(), [1, 1]);
  });

  it('does not run the other when the person declines it then', async () => {
    const [story, half] = await halfAllowed();
    await two.approve(pauseIdOf(half));
    const declined = await story.invoke(new Command({ resume: { decline: ['mail'] } }));
    assertTold(story, declined, [bookDone, mailDeclined]);
    assert.deepEqual(served(), [1, 0]);
  });
});

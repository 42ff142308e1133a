import { AuthError, ConfigurationError } from '@outlive/core';
import { callTool, createScriptedModel, say } from '@outlive/testing';
import { generateText, stepCountIs, streamText, ToolLoopAgent } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { type Guard, resumeTask, runTask } from '../src/index.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const prompt = 'What is new?';
const stopWhen = stepCountIs(5);

/** Each way of making one guarded call, awaited as it would be without the guard. */
const calls = {
  generateText: async (guard: Guard, loop: Loop) =>
    (await guard(generateText)({ ...loop, prompt })).text,
  'streamText, a promise': async (guard: Guard, loop: Loop) =>
    await guard(streamText)({ ...loop, prompt }).text,
  'streamText, its text': async (guard: Guard, loop: Loop) => {
    let text = '';
    for await (const delta of guard(streamText)({ ...loop, prompt }).textStream) text += delta;
    return text;
  },
  'streamText, consumed': async (guard: Guard, loop: Loop) => {
    const stream = guard(streamText)({ ...loop, prompt });
    await stream.consumeStream();
    return await stream.text;
  },
  'an agent': async (guard: Guard, loop: Loop) =>
    (await guard(new ToolLoopAgent(loop)).generate({ prompt })).text,
  'an agent, streaming': async (guard: Guard, loop: Loop) =>
    await (await guard(new ToolLoopAgent(loop)).stream({ prompt })).text,
  'a class of agents': async (guard: Guard, loop: Loop) =>
    (await new (guard(ToolLoopAgent))(loop).generate({ prompt })).text,
};
type Loop = ReturnType<typeof loopOf>;
const loopOf = (model: ReturnType<typeof createScriptedModel>) => ({
  ...{ model, tools: createTools(), stopWhen },
});
const reads = (): Loop =>
  loopOf(createScriptedModel([callTool('readMail', {}, 'A'), say('Nothing.')]));

describe.each(Object.entries(calls))('runTask with %s', (_name, call) => {
  it('completes with what the body makes of its calls, and all that they did', async () => {
    const story = await world.startStory();
    const outcome = await runTask(story.task, async (guard) => [
      await call(guard, reads()),
      await call(guard, loopOf(createScriptedModel([say('Still nothing.')]))),
    ]);
    expect(outcome).toMatchObject({
      status: 'completed',
      result: ['Nothing.', 'Still nothing.'],
      ledger: [{ toolCallId: 'A', outcome: 'done' }],
    });
  });

  it('is paused when a call is: it rejects, and nothing after it runs', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    let rejected: unknown;
    const silent = createScriptedModel([]);
    const outcome = await runTask(story.task, async (guard) => {
      try {
        return await call(guard, reads());
      } catch (error) {
        rejected = error;
      }
      // A body that swallows the rejection and tries something else.
      await call(guard, loopOf(silent)).catch(() => undefined);
      return 'all is well';
    });

    expect(rejected).toSatisfy(AuthError.is);
    expect(outcome).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'insufficient_scope' } },
      partialResult: { steps: [{}] },
      state: { pending: [{ toolCallId: 'A' }] },
      ledger: [{ toolCallId: 'A', outcome: 'refused' }],
    });
    expect(outcome).not.toHaveProperty('result');
    expect(silent.calls).toBe(0);
    if (outcome.status !== 'paused') return;

    story.refused.clear();
    await story.agree(outcome.state);
    const resumed = await resumeTask(
      story.elsewhere,
      outcome.state,
      generateText,
    )({ model: createScriptedModel([say('Read.')]), tools: createTools() });
    expect(resumed.status).toBe('completed');
  });
});

describe('runTask', () => {
  it('lets the body deal with other failures', async () => {
    const { task } = await world.startStory();
    const failing = createScriptedModel(() => Promise.reject(new Error('out of words')));
    const body = async (guard: Guard) => {
      const failed = await guard(generateText)({ model: failing, prompt }).catch(String);
      const { text } = await guard(generateText)({
        model: createScriptedModel([say('Hi.')]),
        prompt,
      });
      return [failed, text];
    };
    expect(await runTask(task, body)).toMatchObject({
      status: 'completed',
      result: ['Error: out of words', 'Hi.'],
    });
  });

  it('fails as the body does', async () => {
    const { task } = await world.startStory();
    const failure = new Error('a bug of the app');
    expect(await runTask(task, () => Promise.reject(failure))).toMatchObject({
      status: 'failed',
      error: failure,
    });
  });

  it('ends as the task has ended', async () => {
    const { task } = await world.startStory();
    const outcome = await runTask(task, async (guard) => {
      await task.cancel();
      return await guard(generateText)({ model: createScriptedModel([]), prompt });
    });
    expect(outcome.status).toBe('cancelled');
  });

  it('reports a guard that was not used', async () => {
    const { task } = await world.startStory();
    const unguarded = async () =>
      (await generateText({ model: createScriptedModel([say('Hi.')]), prompt })).text;
    await expect(runTask(task, unguarded)).rejects.toThrow(ConfigurationError);
    await expect(
      runTask(task, async (guard) => {
        guard(generateText);
        return await unguarded();
      }),
    ).rejects.toThrow('through guard');
  });

  it('reports a stream that was left unread', async () => {
    const { task } = await world.startStory();
    await expect(
      runTask(task, async (guard) => {
        const model = createScriptedModel([say('Hi.')]);
        return guard(streamText)({ model, prompt }).toUIMessageStreamResponse();
      }),
    ).rejects.toThrow('left unread');
  });

  it('names what cannot be guarded', async () => {
    const { task } = await world.startStory();
    const outcome = await runTask(task, async (guard) => guard({ generate: 'text' }));
    expect(outcome).toMatchObject({ status: 'failed', error: { name: 'ConfigurationError' } });
  });
});

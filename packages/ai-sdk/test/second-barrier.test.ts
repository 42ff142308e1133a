import { callTool, createScriptedModel, say } from '@outlive/testing';
import { APICallError, generateText, stepCountIs, streamText } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { withTask } from '../src/index.ts';
import { run, ways } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

/** What makes the SDK call the model again within the same step, at once. */
function tryAgain(): APICallError {
  return new APICallError({
    ...{ message: 'busy', url: 'https://model.example', requestBodyValues: {}, statusCode: 503 },
    ...{ isRetryable: true, responseHeaders: { 'retry-after-ms': '1' } },
  });
}

describe.each(ways)('a model that the SDK calls again after a failure, under %s', (way) => {
  it('is not called when the task was stopped meanwhile by another process', async () => {
    const story = await world.startStory();
    const model = createScriptedModel(async () => {
      await (await story.elsewhere.task(story.task.id))?.cancel('no longer wanted');
      throw tryAgain();
    });
    const { outcome } = await run(way, story.task, model, createTools());
    expect(model.calls).toBe(1);
    expect(outcome.status).toBe('cancelled');
  });

  it('is called when nothing has happened', async () => {
    const story = await world.startStory();
    const model = createScriptedModel(({ number }) => {
      if (number === 1) throw tryAgain();
      return number === 2 ? callTool('readMail', {}, 'A') : say('Read.');
    });
    const { outcome } = await run(way, story.task, model, createTools());
    expect(outcome.status).toBe('completed');
    expect(model.calls).toBe(3);
  });
});

describe('a model that prepareStep chose', () => {
  it.each(['generateText', 'streamText'] as const)(
    'stands behind the same barrier, under %s',
    async (way) => {
      const story = await world.startStory();
      const chosen = createScriptedModel(async () => {
        await (await story.elsewhere.task(story.task.id))?.cancel('no longer wanted');
        throw tryAgain();
      });
      const settings = {
        model: createScriptedModel([]),
        tools: createTools(),
        prompt: 'Go.',
        stopWhen: stepCountIs(5),
        prepareStep: () => ({ model: chosen }),
      };
      if (way === 'generateText') await withTask(story.task, generateText)(settings);
      else {
        const { stream, outcome } = withTask(
          story.task,
          streamText,
        )({ ...settings, onError: () => {} });
        await stream.consumeStream({ onError: () => {} });
        expect((await outcome).status).toBe('cancelled');
      }
      expect(chosen.calls).toBe(1);
    },
  );
});

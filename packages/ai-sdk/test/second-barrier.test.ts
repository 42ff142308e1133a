import { callTool, createScriptedModel, say, type TestLanguageModel } from '@outlive/testing';
import {
  APICallError,
  customProvider,
  generateText,
  stepCountIs,
  streamText,
  ToolLoopAgent,
} from 'ai';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { withTask } from '../src/index.ts';
import { run, ways } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld, type Story } from './support/world.ts';

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

/** A model that fails once the task was stopped: it must not be called a second time. */
function stoppedMeanwhile({ task, elsewhere }: Story): TestLanguageModel {
  return createScriptedModel(async () => {
    await (await elsewhere.task(task.id))?.cancel('no longer wanted');
    throw tryAgain();
  });
}

describe('a model that prepareStep chose', () => {
  it.each(['generateText', 'streamText'] as const)(
    'stands behind the same barrier, under %s',
    async (way) => {
      const story = await world.startStory();
      const chosen = stoppedMeanwhile(story);
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

describe('a model that is named by its id', () => {
  afterEach(() => {
    globalThis.AI_SDK_DEFAULT_PROVIDER = undefined;
  });

  /** The app's default provider, from which the SDK makes the models of ids. */
  function provide(model: TestLanguageModel): void {
    globalThis.AI_SDK_DEFAULT_PROVIDER = customProvider({ languageModels: { named: model } });
  }

  it.each(ways)('stands behind the same barrier, under %s', async (way) => {
    const story = await world.startStory();
    const model = stoppedMeanwhile(story);
    provide(model);
    const { outcome } = await run(way, story.task, 'named', createTools());
    expect(outcome.status).toBe('cancelled');
    expect(model.calls).toBe(1);
  });

  it('stands behind it also where prepareStep names it', async () => {
    const story = await world.startStory();
    const model = stoppedMeanwhile(story);
    provide(model);
    const agent = new ToolLoopAgent({
      model: createScriptedModel([]),
      tools: createTools(),
      prepareStep: () => ({ model: 'named' }),
    });
    const outcome = await withTask(story.task, agent).generate({ prompt: 'Go.' });
    expect(outcome.status).toBe('cancelled');
    expect(model.calls).toBe(1);
  });

  it('runs as any other', async () => {
    const story = await world.startStory();
    const model = createScriptedModel([callTool('readMail', {}, 'A'), say('Read.')]);
    provide(model);
    const { outcome } = await run('generateText', story.task, 'named', createTools());
    expect(outcome.status).toBe('completed');
    expect(model.calls).toBe(2);
  });
});

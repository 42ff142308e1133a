import { ConfigurationError } from '@outlive/core';
import { callTool, createScriptedModel, say } from '@outlive/testing';
import * as ai from 'ai';
import {
  generateText,
  Output,
  type StreamTextTransform,
  stepCountIs,
  streamText,
  ToolLoopAgent,
  type ToolLoopAgentSettings,
  type ToolSet,
  tool,
} from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withTask } from '../src/index.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const prompt = 'What is new?';
const readsThenSays = () => createScriptedModel([callTool('readMail', {}, 'A'), say('Nothing.')]);

describe('the settings of the app', () => {
  it('stop after one step by default, as without a task', async () => {
    const { task } = await world.startStory();
    const model = readsThenSays();
    const tools = createTools();
    const outcome = await withTask(task, generateText)({ model, tools, prompt });
    expect(outcome.status).toBe('completed');
    expect(model.calls).toBe(1);

    const streamed = readsThenSays();
    const run = withTask(task, streamText)({ model: streamed, tools, prompt });
    await run.stream.consumeStream();
    expect((await run.outcome).status).toBe('completed');
    expect(streamed.calls).toBe(1);
  });

  it('lets agents go on, as without a task', async () => {
    const model = readsThenSays();
    const agent = new ToolLoopAgent({ model, tools: createTools() });
    await withTask((await world.startStory()).task, agent).generate({ prompt });
    expect(model.calls).toBe(2);
  });

  it('are asked and called as without a task', async () => {
    const called: string[] = [];
    const outcome = await withTask(
      (await world.startStory()).task,
      generateText,
    )({
      model: readsThenSays(),
      tools: createTools(),
      prompt,
      stopWhen: [stepCountIs(5), () => called.push('stopWhen') < 0],
      prepareStep: ({ stepNumber }) => {
        called.push(`prepareStep ${stepNumber}`);
        return undefined;
      },
      onStepFinish: () => {
        called.push('onStepFinish');
      },
      onFinish: () => {
        called.push('onFinish');
      },
    });
    expect(outcome.status).toBe('completed');
    expect(called).toEqual([
      'prepareStep 0',
      'onStepFinish',
      'stopWhen',
      'prepareStep 1',
      'onStepFinish',
      'onFinish',
    ]);
  });

  it('may change the model of a step, but not that of a halted one', async () => {
    const story = await world.startStory();
    const other = createScriptedModel([]);
    const outcome = await withTask(
      story.task,
      generateText,
    )({
      model: createScriptedModel([]),
      tools: createTools(),
      prompt,
      prepareStep: async () => {
        await story.task.cancel();
        return { model: other };
      },
    });
    expect(outcome.status).toBe('cancelled');
    expect(other.calls).toBe(0);
  });

  it('see the model of the app in prepareStep', async () => {
    const { doGenerate, doStream, provider, modelId, supportedUrls } = readsThenSays();
    // A model of the SDK's own version, which it does not wrap itself.
    const specificationVersion = 'isStepCount' in ai ? 'v4' : 'v3';
    const model = { doGenerate, doStream, provider, modelId, supportedUrls, specificationVersion };
    const seen: unknown[] = [];
    const outcome = await withTask(
      (await world.startStory()).task,
      generateText,
    )({
      model: model as ReturnType<typeof createScriptedModel>,
      tools: createTools(),
      prompt,
      stopWhen: stepCountIs(5),
      prepareStep: ({ model: given }) => {
        seen.push(given === model);
        return undefined;
      },
    });
    expect(outcome.status).toBe('completed');
    expect(seen).toEqual([true, true]);
  });

  it('may require a tool call, which a halted step does not make', async () => {
    const story = await world.startStory();
    await story.task.cancel();
    const model = createScriptedModel([]);
    const outcome = await withTask(
      story.task,
      generateText,
    )({ model, tools: createTools(), prompt, toolChoice: 'required' });
    expect(outcome.status).toBe('cancelled');
    expect(outcome).not.toHaveProperty('error');
  });

  it('transform a stream in which refused calls are approval requests already', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const seen: string[] = [];
    const watching: StreamTextTransform<ToolSet> = () =>
      new TransformStream({
        transform(part, controller) {
          seen.push(part.type);
          controller.enqueue(part);
        },
      });
    const run = withTask(
      story.task,
      streamText,
    )({
      model: readsThenSays(),
      tools: createTools(),
      prompt,
      stopWhen: stepCountIs(5),
      experimental_transform: watching,
    });
    await run.stream.consumeStream();
    await run.outcome;
    expect(seen).toContain('tool-approval-request');
    expect(seen).not.toContain('tool-error');
  });

  it('reach tools that need no credential unchanged', async () => {
    let received: unknown;
    let offered: unknown;
    const probe = tool({
      inputSchema: z.object({}),
      execute: async (_input, options) => {
        received = options;
        return 1;
      },
    });
    const tools = { probe };
    await withTask(
      (await world.startStory()).task,
      generateText,
    )({
      model: createScriptedModel([callTool('probe', {}, 'A')]),
      tools,
      prompt,
      experimental_onStepStart: ({ tools: given }) => {
        offered = given?.probe;
      },
    });
    expect(offered).toBe(probe);
    expect(received).not.toHaveProperty('principal');
    expect(received).toHaveProperty('toolCallId', 'A');
  });

  it('may have a structured output, which a paused run does not have', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const outcome = await withTask(
      story.task,
      generateText,
    )({
      model: readsThenSays(),
      tools: createTools(),
      prompt,
      output: Output.object({ schema: z.object({ ok: z.boolean() }) }),
      stopWhen: stepCountIs(5),
    });
    expect(outcome.status).toBe('paused');
    if (outcome.status !== 'paused') return;
    expect(outcome.partialResult?.steps).toHaveLength(1);
    expect(outcome.partialResult).not.toHaveProperty('output');
  });

  it('may throw in a stop condition without losing a refusal', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const outcome = await withTask(
      story.task,
      generateText,
    )({
      model: readsThenSays(),
      tools: createTools(),
      prompt,
      stopWhen: () => {
        throw new Error('a bug of the app');
      },
    });
    expect(outcome).toMatchObject({
      status: 'paused',
      partialResult: { steps: [{}] },
      state: {
        pending: [{ toolCallId: 'A' }],
        messages: [{ role: 'user' }, { role: 'assistant' }],
      },
    });
  });
});

describe('an agent', () => {
  it('is guarded behind its own prepareCall', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const model = readsThenSays();
    const tools: ToolSet = createTools();
    const agent = new ToolLoopAgent({
      model,
      tools,
      prepareCall: (call) => ({ ...call, tools: createTools(), prompt: 'Rewritten.' }),
    });
    const outcome = await withTask(story.task, agent).generate({ prompt });
    expect(outcome).toMatchObject({
      status: 'paused',
      state: { messages: [{ content: 'Rewritten.' }, {}] },
    });
    expect(model.calls).toBe(1);
  });

  it('is guarded when it is a subclass with a constructor of its own', async () => {
    class MailAgent extends ToolLoopAgent<never, ReturnType<typeof createTools>> {
      constructor(model: ToolLoopAgentSettings['model']) {
        super({ model, tools: createTools() });
      }
    }
    const story = await world.startStory();
    story.refused.add('readMail');
    const model = readsThenSays();
    const outcome = await withTask(story.task, new MailAgent(model)).generate({ prompt });
    expect(outcome.status).toBe('paused');
    expect(model.calls).toBe(1);
  });

  it('is not changed itself', async () => {
    const model = readsThenSays();
    const agent = new ToolLoopAgent({ model, tools: createTools() });
    await withTask((await world.startStory()).task, agent).generate({ prompt });
    const { steps } = await new ToolLoopAgent({
      model: readsThenSays(),
      tools: agent.tools,
    }).generate({ prompt });
    expect(steps[0]?.content.at(-1)).toMatchObject({
      type: 'tool-error',
      error: { code: 'no_task' },
    });
  });

  it('is refused when it keeps its settings elsewhere', async () => {
    const foreign = { generate: async () => 'text', stream: async () => 'stream' };
    const bound = withTask((await world.startStory()).task, foreign);
    await expect(bound.generate()).rejects.toThrow(ConfigurationError);
  });
});

describe('withTask', () => {
  it('names what cannot be run', async () => {
    const { task } = await world.startStory();
    // @ts-expect-error it is the result of a call
    expect(() => withTask(task, 'text')).toThrow('expected generateText, streamText or an agent');
  });
});

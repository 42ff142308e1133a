import { callTool, createScriptedModel, say } from '@outlive/testing';
import { stepCountIs, streamText } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { withTask } from '../src/index.ts';
import { run, stateOf } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const prompt = 'What is new?';

describe('a tool that streams', () => {
  it('keeps streaming under a task', async () => {
    const model = createScriptedModel([callTool('searchMail', {}, 'A'), say('Found.')]);

    const { parts } = await run(
      'streamText',
      (await world.startStory()).task,
      model,
      createTools(),
    );

    expect(outputsOf(parts)).toEqual([
      ['searching', true],
      ['found', true],
      ['found', undefined],
    ]);
  });

  it('keeps what it streamed before it was refused, and ends as an approval request', async () => {
    const story = await world.startStory();
    story.refused.add('searchMail');
    const model = createScriptedModel([callTool('searchMail', {}, 'A')]);

    const ran = await run('streamText', story.task, model, createTools());

    expect(outputsOf(ran.parts)).toEqual([['searching', true]]);
    expect(ran.parts).toContainEqual(
      expect.objectContaining({
        type: 'tool-approval-request',
        approvalId: 'auth_A',
        toolCall: expect.objectContaining({ toolCallId: 'A', toolName: 'searchMail' }),
      }),
    );
    expect(stateOf(ran).pending).toMatchObject([{ approvalId: 'auth_A' }]);
  });
});

describe('the stream of a paused run', () => {
  it('shows a UI a call that waits for an approval, and no error', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const model = createScriptedModel([
      [callTool('readMail', {}, 'A'), callTool('clock', {}, 'B')],
    ]);
    const bound = withTask(
      story.task,
      streamText,
    )({ model, tools: createTools(), prompt, stopWhen: stepCountIs(5) });

    const body = await bound.stream.toUIMessageStreamResponse().text();

    expect((await bound.outcome).status).toBe('paused');
    expect(body).toContain('"type":"tool-approval-request","approvalId":"auth_A","toolCallId":"A"');
    expect(body).toContain('"type":"tool-output-available","toolCallId":"B"');
    expect(body).not.toContain('tool-output-error');
    expect(body).not.toContain('SECRET-SCOPE');
  });
});

describe('the outcome of a stream', () => {
  it('waits for a reader', async () => {
    const model = createScriptedModel([say('Hello.')]);
    const bound = withTask(
      (await world.startStory()).task,
      streamText,
    )({ model, tools: createTools(), prompt });
    let settled = false;
    const outcome = bound.outcome.then(() => {
      settled = true;
    });

    await Promise.race([outcome, bound.stream.textStream[Symbol.asyncIterator]().next()]);
    expect(settled).toBe(false);

    await bound.stream.consumeStream();
    await outcome;
    expect(settled).toBe(true);
  });

  it('is failed when the app aborts', async () => {
    const controller = new AbortController();
    const model = createScriptedModel(async () => {
      controller.abort(new Error('the user left'));
      return say('Hello.');
    });
    const bound = withTask(
      (await world.startStory()).task,
      streamText,
    )({ model, tools: createTools(), prompt, abortSignal: controller.signal });

    await bound.stream.consumeStream();

    expect(await bound.outcome).toMatchObject({ status: 'failed', error: { name: 'AbortError' } });
  });

  it('is failed when a stop condition throws and the stream breaks', async () => {
    const model = createScriptedModel([callTool('clock', {}, 'A')]);
    const bound = withTask(
      (await world.startStory()).task,
      streamText,
    )({
      model,
      tools: createTools(),
      prompt,
      stopWhen: () => {
        throw new Error('a bug of the app');
      },
    });

    await bound.stream.consumeStream({ onError: () => {} });

    expect(await bound.outcome).toMatchObject({ status: 'failed' });
  });
});

function outputsOf(parts: readonly unknown[]) {
  return (parts as readonly { type: string; output?: unknown; preliminary?: boolean }[])
    .filter(({ type }) => type === 'tool-result')
    .map(({ output, preliminary }) => [output, preliminary]);
}

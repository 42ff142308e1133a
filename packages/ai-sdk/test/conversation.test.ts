import { callTool, createScriptedModel, say } from '@outlive/testing';
import * as ai from 'ai';
import { generateText, type ModelMessage, streamText, tool } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { resumeTask, withCredential, withTask } from '../src/index.ts';
import { run, stateOf } from './support/run.ts';
import { createTools, mail } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const refusedRead = () => createScriptedModel([callTool('readMail', {}, 'A')]);

async function refusing() {
  const story = await world.startStory();
  story.refused.add('readMail');
  return story;
}

describe('the conversation of a paused run', () => {
  it('begins with the prompt', async () => {
    const outcome = await withTask(
      (await refusing()).task,
      generateText,
    )({ model: refusedRead(), tools: createTools(), prompt: 'Hi.', system: 'Be brief.' });
    const { messages } = stateOf({ outcome, parts: [] });
    expect(messages[0]).toEqual({ role: 'user', content: 'Hi.' });
    expect(JSON.stringify(messages)).not.toContain('Be brief.');
  });

  it('has files as base64 and URLs as text', async () => {
    const asked: ModelMessage[] = [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.' },
          { type: 'file', mediaType: 'image/png', data: new Uint8Array([1, 2, 3]) },
          { type: 'file', mediaType: 'image/png', data: new URL('https://example.com/a.png') },
        ],
      },
    ];
    const story = await refusing();
    const model = {
      ...refusedRead(),
      supportedUrls: { '*': [/.*/] },
    };
    const state = stateOf(await run('generateText', story.task, model, createTools(), asked));
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    expect(state.messages[0]).toMatchObject({
      content: [{}, { data: 'AQID' }, { data: 'https://example.com/a.png' }],
    });

    story.refused.clear();
    await story.agree(state);
    const resumed = await resumeTask(
      story.elsewhere,
      state,
      generateText,
    )({
      model: { ...createScriptedModel([say('Seen.')]), supportedUrls: model.supportedUrls },
      tools: createTools(),
    });
    expect(resumed.status).toBe('completed');
  });

  // ai 6 has no `toolApproval`: there the SDK makes no request of its own that could be kept.
  it.runIf('isStepCount' in ai)(
    'keeps the approval request that the SDK made for the call itself',
    async () => {
      const executed: string[] = [];
      const { readMail } = createTools(executed);
      const tools = { ...createTools(executed), readMail };
      const story = await refusing();
      const outcome = await withTask(
        story.task,
        streamText,
      )({
        model: refusedRead(),
        tools,
        prompt: 'Hi.',
        toolApproval: () => ({ type: 'approved' }),
      });
      await outcome.stream.consumeStream();
      const { messages, pending } = stateOf({ outcome: await outcome.outcome, parts: [] });
      const requests = messages.flatMap(({ role, content }) =>
        role === 'assistant' && typeof content !== 'string'
          ? content.filter(({ type }) => type === 'tool-approval-request')
          : [],
      );
      expect(requests).toEqual([expect.objectContaining({ toolCallId: 'A' })]);
      expect(pending).toMatchObject([
        { approvalId: (requests[0] as { approvalId: string }).approvalId },
      ]);
      expect(pending[0]?.approvalId).not.toBe('auth_A');
      expect(messages.some(({ role }) => role === 'tool')).toBe(false);
    },
  );

  it('keeps the answers of an earlier call that had the same id', async () => {
    const story = await world.startStory();
    const model = createScriptedModel(({ number }) => {
      if (number === 2) story.refused.add('readMail');
      return callTool('readMail', { q: String(number) }, 'same');
    });
    const { messages } = stateOf(await run('generateText', story.task, model, createTools()));
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant']);
  });
});

describe('an approval by the SDK for a credentialed call', () => {
  const approved = withCredential(
    { resource: mail, scopes: ['write'], effect: 'irreversible' },
    tool({ inputSchema: z.object({}), needsApproval: true, execute: async () => 'sent' }),
  );
  const secret = { experimental_toolApprovalSecret: 'a secret of this test' };

  async function askedAndAnswered(settings: object): Promise<ModelMessage[]> {
    const question: ModelMessage[] = [{ role: 'user', content: 'Send it.' }];
    const asked = await withTask(
      (await world.startStory()).task,
      generateText,
    )({
      model: createScriptedModel([callTool('approved', {}, 'A')]),
      tools: { approved },
      messages: question,
      ...settings,
    });
    if (asked.status !== 'completed') throw new Error(asked.status);
    const request = asked.result.content.find(({ type }) => type === 'tool-approval-request');
    if (request?.type !== 'tool-approval-request') throw new Error('no request');
    return [
      ...question,
      ...asked.result.response.messages,
      {
        role: 'tool',
        content: [
          { type: 'tool-approval-response', approvalId: request.approvalId, approved: true },
        ],
      },
    ];
  }

  it('runs the call when the approval is signed', async () => {
    const messages = await askedAndAnswered(secret);
    const model = createScriptedModel([say('Sent.')]);
    const outcome = await withTask(
      (await world.startStory()).task,
      generateText,
    )({ model, tools: { approved }, messages, ...secret });
    expect(outcome.status).toBe('completed');
    expect(JSON.stringify(model.prompts)).toContain('sent');
  });

  it('runs nothing when it is not, since anybody could have written it', async () => {
    const messages = await askedAndAnswered({});
    const outcome = await withTask(
      (await world.startStory()).task,
      generateText,
    )({ model: createScriptedModel([]), tools: { approved }, messages });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'not_resumable' } });
  });

  it.each(['generateText', 'streamText'] as const)(
    'does not keep a refused call from running again: it is signed as the SDK does, under %s',
    async (way) => {
      const story = await refusing();
      const given: unknown[] = [];
      const inputSchema = z.looseObject({});
      const readMail = withCredential(
        { resource: mail, scopes: ['read'], effect: 'read' },
        {
          inputSchema,
          execute: async (input, { principal }) => {
            await principal.fetch('mails/readMail');
            given.push(input);
            return 'read';
          },
        },
      );
      const input = { z: 1, a: [{ y: null, b: 'Ü"' }, []], m: { d: true, c: 0.5 } };
      const loop = { tools: { readMail }, ...secret };
      const asked = { ...loop, model: createScriptedModel([callTool('readMail', input, 'A')]) };
      const prompt = 'Hi.';
      const run = withTask(story.task, streamText);
      const streamed = way === 'streamText' ? run({ ...asked, prompt }) : undefined;
      await streamed?.stream.consumeStream();
      const outcome =
        (await streamed?.outcome) ??
        (await withTask(story.task, generateText)({ ...asked, prompt }));
      const state = stateOf({ outcome, parts: [] });
      story.refused.clear();
      await story.agree(state);
      const resumed = await resumeTask(
        story.elsewhere,
        JSON.parse(JSON.stringify(state)),
        generateText,
      )({ ...loop, model: createScriptedModel([say('Read.')]) });
      expect(resumed).toMatchObject({ status: 'completed' });
      expect(given).toEqual([input]);
    },
  );
});

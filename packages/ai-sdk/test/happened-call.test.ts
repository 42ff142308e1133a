import { callTool, createScriptedModel, say } from '@outlive/testing';
import { generateText } from 'ai';
import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';
import { resumeTask, withCredential, withTask } from '../src/index.ts';
import { mail } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

it('a call that people say has happened is not done again, and the model is told', async () => {
  const story = await world.startStory();
  story.refused.add('receipt');
  // Sends, and is refused when it asks for the receipt: nobody can say that it may run again.
  const sendMail = withCredential(
    { resource: mail, scopes: ['write'], effect: 'irreversible' },
    {
      inputSchema: z.object({}),
      execute: async (_input, { principal }) => {
        await principal.fetch('mails/sendMail', { method: 'POST' });
        await principal.fetch('mails/receipt');
        return 'sent';
      },
    },
  );
  const tools = { sendMail };
  const asking = createScriptedModel([[callTool('sendMail', {}, 'A')]]);
  const first = await withTask(story.task, generateText)({ model: asking, tools, prompt: 'Send.' });
  if (first.status !== 'paused') throw new Error(first.status);
  story.refused.clear();
  await story.agree(first.state);

  const silent = createScriptedModel([]);
  const doubtful = await resumeTask(
    story.elsewhere,
    first.state,
    generateText,
  )({
    model: silent,
    tools,
  });
  if (doubtful.status !== 'paused') throw new Error(doubtful.status);
  expect(doubtful.pause.reason.code).toBe('outcome_unknown');
  const { subject } = story.task.principal;
  await story.outlive.decide(doubtful.pause.id, {
    decision: 'resume',
    by: subject,
    happened: ['A'],
  });

  // Nothing is left to reserve, and still one of two processes goes on.
  const attempts = await Promise.all(
    [story.outlive, story.elsewhere].map(async (outlive) => {
      const model = createScriptedModel([say('It was sent.')]);
      const resume = resumeTask(outlive, doubtful.state, generateText);
      return { model, ...(await resume({ model, tools })) };
    }),
  );
  expect(attempts.map(({ status }) => status).sort()).toEqual(['completed', 'failed']);
  expect(attempts.map(({ model }) => model.calls).sort()).toEqual([0, 1]);
  const { model } = attempts.find(({ status }) => status === 'completed') ?? {};
  expect(JSON.stringify(model?.prompts[0])).toContain('has been done before');
  expect(story.served()).toEqual(['sendMail']);
  expect(silent.calls).toBe(0);
});

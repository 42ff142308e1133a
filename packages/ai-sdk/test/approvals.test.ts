import { callTool, createScriptedModel, say, type TestLanguageModel } from '@outlive/testing';
import * as ai from 'ai';
import { generateText, type ModelMessage, stepCountIs, type ToolSet, tool } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PausedRun, resumeTask, withCredential, withTask } from '../src/index.ts';
import { stateOf } from './support/run.ts';
import { createTools, mail } from './support/tools.ts';
import { createWorld, type Story } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const question: ModelMessage[] = [{ role: 'user', content: 'Send it.' }];
/** ai 6 has no `toolApproval`. */
const hasToolApproval = 'isStepCount' in ai;

function toolsThatAsk(executed: string[]) {
  const { clock, readMail, sendMail } = createTools(executed);
  return { clock, readMail, sendMail: { ...sendMail, needsApproval: true } };
}

async function ask(
  task: Story['task'],
  model: TestLanguageModel,
  tools: ToolSet,
  settings: object = {},
  messages = question,
) {
  return await withTask(
    task,
    generateText,
  )({ model, tools, messages, stopWhen: stepCountIs(5), ...settings });
}

/** The conversation in which a person has approved everything that was asked. */
function approved(asked: Awaited<ReturnType<typeof ask>>): ModelMessage[] {
  if (asked.status !== 'completed') throw new Error(`expected an end, got ${asked.status}`);
  const { content, response } = asked.result;
  const requests = content.filter((part) => part.type === 'tool-approval-request');
  return [
    ...question,
    ...response.messages,
    {
      role: 'tool',
      content: requests.map(({ approvalId }) => ({
        type: 'tool-approval-response',
        approvalId,
        approved: true,
      })),
    },
  ];
}

describe.each([
  ['without a secret', {}],
  ['with a secret', { experimental_toolApprovalSecret: 'a secret of this test' }],
])('an approval that the app itself wants, %s', (_how, settings) => {
  it('is asked for, and runs the call once, whoever sends it again', async () => {
    const story = await world.startStory();
    const executed: string[] = [];
    const tools = toolsThatAsk(executed);
    const asked = await ask(
      story.task,
      createScriptedModel([callTool('sendMail', {}, 'A')]),
      tools,
      settings,
    );
    const messages = approved(asked);
    expect(executed).toEqual([]);

    const sent = createScriptedModel([say('Sent.')]);
    const first = await ask(await story.startTask(), sent, tools, settings, messages);
    const silent = createScriptedModel([]);
    const again = await ask(await story.startTask(), silent, tools, settings, messages);

    expect(first.status).toBe('completed');
    expect(executed).toEqual(['sendMail:A']);
    expect(again).toMatchObject({ status: 'failed', error: { code: 'not_resumable' } });
    expect(silent.calls).toBe(0);
  });

  it('comes before a sign-in: the person approves once, signs in once, and the call runs once', async () => {
    const story = await world.startStory();
    const executed: string[] = [];
    const tools = toolsThatAsk(executed);
    await story.disconnect('acme');

    const asked = await ask(
      story.task,
      createScriptedModel([callTool('sendMail', {}, 'A')]),
      tools,
      settings,
    );
    // No pause yet: nobody is asked to sign in for a call that may not be approved.
    expect(asked.status).toBe('completed');
    const silent = createScriptedModel([]);
    const paused = stateOf({
      outcome: await ask(story.task, silent, tools, settings, approved(asked)),
      parts: [],
    });
    expect(paused.pending).toMatchObject([{ toolCallId: 'A', waitsFor: 'authority' }]);
    expect(silent.calls).toBe(0);

    await story.reconnect('acme');
    await story.agree(paused);
    const resumed = await resumeTask(
      story.elsewhere,
      JSON.parse(JSON.stringify(paused)),
      generateText,
    )({ model: createScriptedModel([say('Sent.')]), tools, ...settings });

    expect(resumed.status).toBe('completed');
    expect(executed).toEqual(['sendMail:A', 'sendMail:A']);
    expect(story.served()).toEqual(['sendMail']);
  });

  it('keeps signed requests valid when they are asked for in a run that goes on', async () => {
    const story = await world.startStory();
    const executed: string[] = [];
    const tools = toolsThatAsk(executed);
    story.refused.add('readMail');
    const paused = stateOf({
      outcome: await ask(
        story.task,
        createScriptedModel([callTool('readMail', {}, 'R')]),
        tools,
        settings,
      ),
      parts: [],
    });
    story.refused.clear();
    await story.agree(paused);
    const resumed = await resumeTask(
      story.elsewhere,
      paused,
      generateText,
    )({ model: createScriptedModel([callTool('sendMail', {}, 'A')]), tools, ...settings });
    if (resumed.status !== 'completed') throw new Error(resumed.status);
    const request = resumed.result.content.find(({ type }) => type === 'tool-approval-request');
    if (request?.type !== 'tool-approval-request') throw new Error('no request');
    // In ai 7 the step has its own messages only; the call that ran again was answered before it.
    const { responseMessages, response } = resumed.result as typeof resumed.result & {
      responseMessages?: ModelMessage[];
    };

    const outcome = await ask(story.task, createScriptedModel([say('Sent.')]), tools, settings, [
      ...paused.messages,
      ...(responseMessages ?? response.messages),
      {
        role: 'tool',
        content: [
          { type: 'tool-approval-response', approvalId: request.approvalId, approved: true },
        ],
      },
    ]);

    expect(outcome).toMatchObject({ status: 'completed' });
    expect(executed.at(-1)).toBe('sendMail:A');
  });
});

describe('a step with calls that wait for different things', () => {
  async function mixed(tools: ToolSet): Promise<{ story: Story; paused: PausedRun }> {
    const story = await world.startStory();
    story.refused.add('readMail');
    const calls = [callTool('readMail', {}, 'R'), callTool('sendMail', {}, 'A')];
    const outcome = await ask(
      story.task,
      createScriptedModel([[...calls, callTool('clock', {}, 'C'), callTool('choose', {}, 'E')]]),
      tools,
    );
    story.refused.clear();
    return { story, paused: stateOf({ outcome, parts: [] }) };
  }
  /** A tool that the browser runs. */
  const choose = tool({ inputSchema: z.object({}), outputSchema: z.string() });

  it('says what each waits for, and wants an answer for what no sign-in gives', async () => {
    const executed: string[] = [];
    const tools = { ...toolsThatAsk(executed), choose };
    const { story, paused } = await mixed(tools);
    expect(paused.pending).toMatchObject([
      { toolCallId: 'R', waitsFor: 'authority', code: 'insufficient_scope' },
      { toolCallId: 'A', waitsFor: 'approval' },
      { toolCallId: 'E', waitsFor: 'result' },
    ]);
    const resume = (options: object) => resumeTask(story.elsewhere, paused, generateText, options);
    expect(() => resume({})).toThrow('options.approve: expected call A to be either');
    expect(() => resume({ approve: ['A'] })).toThrow(
      'options.results: expected a result for call E',
    );
    expect(() => resume({ approve: ['R'] })).toThrow('calls that wait for their approval');
    expect(() => resume({ results: { A: 1 } })).toThrow('calls that wait for their result');
    expect(() => resume({ reply: 'No.', decline: ['A'] })).toThrow('no decline beside it');

    await story.agree(paused);
    const model = createScriptedModel([say('All done.')]);
    const outcome = await resume({ approve: ['A'], results: { E: 'the left one' } })({
      model,
      tools,
    });
    expect(outcome.status).toBe('completed');
    expect(executed.toSorted()).toEqual(['clock:C', 'readMail:R', 'readMail:R', 'sendMail:A']);
    const told = JSON.stringify(model.prompts[0]);
    expect(told).toContain('the left one');
    expect(told).toContain('sent');
  });

  it('may be declined in part: the model is told once, in safe words', async () => {
    const executed: string[] = [];
    const tools = { ...toolsThatAsk(executed), choose };
    const { story, paused } = await mixed(tools);
    await story.agree(paused);
    const model = createScriptedModel([callTool('clock', {}, 'D'), say('Then not.')]);
    await resumeTask(story.elsewhere, paused, generateText, { decline: ['R', 'A', 'E'] })({
      model,
      tools,
      stopWhen: stepCountIs(5),
    });
    expect(executed.toSorted()).toEqual(['clock:C', 'clock:D', 'readMail:R']);
    for (const prompt of model.prompts) {
      const told = JSON.stringify(prompt);
      expect(told.match(/The user declined to authorize this action\./g)).toHaveLength(3);
      expect(told).not.toContain('[auth:');
    }
  });
});

describe('a person who writes something instead of answering', () => {
  it('is read by the model when the task goes on, and no call that waited runs', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const executed: string[] = [];
    const tools = toolsThatAsk(executed);
    const calls = [callTool('readMail', {}, 'R'), callTool('sendMail', {}, 'A')];
    const outcome = await ask(story.task, createScriptedModel([calls]), tools);
    const paused = stateOf({ outcome, parts: [] });

    const silent = createScriptedModel([]);
    const reply = { reply: 'Never mind. What time is it?' };
    const waiting = await resumeTask(
      story.elsewhere,
      paused,
      generateText,
      reply,
    )({ model: silent, tools });
    const kept = stateOf({ outcome: waiting as typeof outcome, parts: [] });
    expect(silent.calls).toBe(0);
    expect(kept).toMatchObject({ pauseId: paused.pauseId, pending: [] });

    story.refused.clear();
    await story.agree(kept);
    const model = createScriptedModel([say('Noon.')]);
    const again = createScriptedModel([]);
    const resume = (one: TestLanguageModel) =>
      resumeTask(
        story.elsewhere,
        JSON.parse(JSON.stringify(kept)),
        generateText,
      )({
        model: one,
        tools,
      });
    const resumed = await resume(model);
    expect(resumed.status).toBe('completed');
    expect(executed).toEqual(['readMail:R']);
    const prompt = JSON.stringify(model.prompts[0]);
    expect(prompt).toContain('Never mind.');
    expect(prompt).not.toContain('[auth:');
    // A run goes on once from a pause, also when no call says so.
    expect(await resume(again)).toMatchObject({
      status: 'failed',
      error: { code: 'not_resumable' },
    });
    expect(again.calls).toBe(0);
  });
});

/** Whether the SDK keeps what the model wrote; older ones run no approved call whose schema changes its input. */
async function keepsWrittenInput(): Promise<boolean> {
  const inputSchema = z.object({ page: z.string().transform(Number) });
  const { response } = await generateText({
    model: createScriptedModel([callTool('count', { page: '7' }, 'N')]),
    tools: { count: tool({ inputSchema, needsApproval: true, execute: async () => 1 }) },
    messages: question,
  });
  return JSON.stringify(response.messages).includes('inputSchemaInput');
}

describe.runIf(await keepsWrittenInput())(
  'a tool whose schema makes something else of its input',
  () => {
    it('runs again with the input that it had', async () => {
      const story = await world.startStory();
      story.refused.add('readMail');
      const given: unknown[] = [];
      const tools = {
        count: withCredential(
          { resource: mail, scopes: ['read'], effect: 'read' },
          {
            inputSchema: z.object({ page: z.string().transform(Number) }),
            execute: async (input, { principal }) => {
              await principal.fetch('mails/readMail');
              given.push(input);
              return 'counted';
            },
          },
        ),
      };
      const outcome = await ask(
        story.task,
        createScriptedModel([callTool('count', { page: '7' }, 'N')]),
        tools,
      );
      const paused = stateOf({ outcome, parts: [] });
      story.refused.clear();
      await story.agree(paused);
      const resumed = await resumeTask(
        story.elsewhere,
        JSON.parse(JSON.stringify(paused)),
        generateText,
      )({ model: createScriptedModel([say('Seven.')]), tools });
      expect(resumed.status).toBe('completed');
      expect(given).toEqual([{ page: 7 }]);
    });
  },
);

describe.runIf(hasToolApproval)('toolApproval', () => {
  it.each([
    ['a function', (status: string) => () => status],
    ['an entry for the tool', (status: string) => ({ sendMail: status })],
    ['a function for the tool', (status: string) => ({ sendMail: () => status })],
  ])('is asked as ever, as %s, and does not let through what has no authority', async (_as, of) => {
    const executed: string[] = [];
    const tools = createTools(executed);
    const run = async (status: string, story: Story) =>
      await ask(
        story.task,
        createScriptedModel([callTool('sendMail', {}, 'A'), say('Well.')]),
        tools,
        { toolApproval: of(status) },
      );

    const suspended = await world.startStory();
    await suspended.suspend();
    expect(stateOf({ outcome: await run('approved', suspended), parts: [] }).pending).toMatchObject(
      [{ toolCallId: 'A', code: 'user_state' }],
    );
    expect((await run('denied', await world.startStory())).status).toBe('completed');
    expect((await run('user-approval', await world.startStory())).status).toBe('completed');
    expect(executed).toEqual([]);
    await run('approved', await world.startStory());
    expect(executed).toEqual(['sendMail:A']);
  });
});

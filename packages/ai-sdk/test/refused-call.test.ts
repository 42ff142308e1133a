import { callTool, createScriptedModel, say } from '@outlive/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { run, stateOf, ways } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

describe.each(ways)('a refused call under %s', (way) => {
  const threeCalls = [
    callTool('readMail', { q: 'invoices' }, 'A'),
    callTool('listMail', {}, 'B'),
    callTool('clock', {}, 'C'),
  ];

  it('gives the model no further turn, and keeps what its siblings returned', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const model = createScriptedModel([threeCalls]);

    const { outcome } = await run(way, story.task, model, createTools());

    expect(outcome.status).toBe('paused');
    expect(model.calls).toBe(1);
    const { messages, pending } = stateOf({ outcome, parts: [] });
    expect(pending).toEqual([
      {
        toolCallId: 'A',
        toolName: 'readMail',
        waitsFor: 'authority',
        approvalId: 'auth_A',
        code: 'insufficient_scope',
        resource: 'mail',
      },
    ]);
    expect(messages).toMatchObject([
      { role: 'user', content: 'What is new?' },
      {
        role: 'assistant',
        content: [
          { type: 'tool-call', toolCallId: 'A', input: { q: 'invoices' } },
          { type: 'tool-call', toolCallId: 'B' },
          { type: 'tool-call', toolCallId: 'C' },
          { type: 'tool-approval-request', toolCallId: 'A', approvalId: 'auth_A' },
        ],
      },
      {
        role: 'tool',
        // Older versions of the SDK have the results of a stream in the order in which the calls ended.
        content: expect.toSatisfy(
          (parts: readonly { toolCallId: string; output: { value: unknown } }[]) => {
            const values = parts.map(({ toolCallId, output }) => `${toolCallId} ${output.value}`);
            return values.toSorted().join() === 'B mails for mail,C noon';
          },
        ),
      },
    ]);
  });

  it('is told by the outcome: the pause, the ledger, and no result', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');

    const { outcome } = await run(
      way,
      story.task,
      createScriptedModel([threeCalls]),
      createTools(),
    );

    expect(outcome).toMatchObject({
      status: 'paused',
      pause: { reason: { code: 'insufficient_scope' }, call: { toolCallId: 'A' } },
      state: { version: 1, taskId: story.task.id },
    });
    if (outcome.status === 'paused') expect(outcome.state.pauseId).toBe(outcome.pause.id);
    expect(outcome).not.toHaveProperty('result');
    expect(outcome.ledger.map(({ toolCallId, outcome }) => [toolCallId, outcome]).sort()).toEqual([
      ['A', 'refused'],
      ['B', 'done'],
    ]);
  });

  it('leaves only safe text behind, and JSON that survives storage', async () => {
    const story = await world.startStory();
    story.refused.add('readMail').add('listMail');

    const ran = await run(way, story.task, createScriptedModel([threeCalls]), createTools());

    const state = stateOf(ran);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    expect(JSON.stringify(state)).not.toContain('SECRET-SCOPE');
    expect(JSON.stringify(ran.parts)).not.toContain('SECRET-SCOPE');
    for (const token of world.tokens())
      expect(JSON.stringify([state, ran.parts])).not.toContain(token);
    expect(state.pending.map(({ toolCallId }) => toolCallId)).toEqual(['A', 'B']);
  });

  it('stops the loop also when the tool caught the refusal and answered', async () => {
    const story = await world.startStory();
    story.refused.add('stubborn');
    const model = createScriptedModel([callTool('stubborn', {}, 'A')]);

    const ran = await run(way, story.task, model, createTools());

    expect(ran.outcome.status).toBe('paused');
    expect(model.calls).toBe(1);
    expect(JSON.stringify([stateOf(ran), ran.parts])).not.toContain('nothing new today');
  });

  it('stops the loop in a later step, after calls that were served', async () => {
    const story = await world.startStory();
    story.refused.add('sendMail');
    const model = createScriptedModel([
      callTool('readMail', {}, 'A'),
      [say('Sending it.'), callTool('sendMail', {}, 'B')],
    ]);

    const { messages, pending } = stateOf(await run(way, story.task, model, createTools()));

    expect(model.calls).toBe(2);
    expect(pending).toMatchObject([{ toolCallId: 'B' }]);
    expect(messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', content: [{ toolCallId: 'A' }] },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'A' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'Sending it.' },
          { type: 'tool-call', toolCallId: 'B' },
          { type: 'tool-approval-request', toolCallId: 'B' },
        ],
      },
    ]);
  });

  it('stops the loop when the task is cancelled between the turn and its calls', async () => {
    const story = await world.startStory();
    const model = createScriptedModel(async () => {
      await story.task.cancel();
      return [callTool('readMail', {}, 'A'), callTool('searchMail', {}, 'B')];
    });

    const { outcome } = await run(way, story.task, model, createTools());

    expect(outcome.status).toBe('cancelled');
    expect(story.served()).toEqual([]);
    expect(model.calls).toBe(1);
  });
});

describe.each(ways)('a write whose end cannot be recorded under %s', (way) => {
  it('stops the loop, since nobody may do it again', async () => {
    const broken = await createWorld();
    const story = await broken.startStory();
    const model = createScriptedModel([callTool('sendMail', {}, 'A')]);
    const tools = createTools();
    const execute: typeof tools.sendMail.execute = async (input, options) => {
      const sent = await tools.sendMail.execute(input, options);
      broken.breakStore();
      return sent as string;
    };

    const sendMail = { ...tools.sendMail, execute };
    const { outcome } = await run(way, story.task, model, { ...tools, sendMail });

    expect(story.served()).toEqual(['sendMail']);
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'store_unavailable' } });
    expect(model.calls).toBe(1);
    broken.repairStore();
    await broken[Symbol.asyncDispose]();
  });
});

describe.each(ways)('a task that is not active under %s', (way) => {
  it('gives the model no turn at all', async () => {
    const story = await world.startStory();
    await story.task.cancel();
    const model = createScriptedModel([]);

    const { outcome } = await run(way, story.task, model, createTools());

    expect(outcome.status).toBe('cancelled');
    expect(model.calls).toBe(0);
  });
});

describe.each(ways)('a run that nothing stops under %s', (way) => {
  it('completes with the result of the SDK', async () => {
    const story = await world.startStory();
    const model = createScriptedModel([
      [callTool('readMail', { q: 'x' }, 'A'), callTool('searchMail', {}, 'B')],
      say('All read.'),
    ]);

    const { outcome } = await run(way, story.task, model, createTools());

    expect(outcome.status).toBe('completed');
    if (outcome.status === 'completed') expect(await outcome.result.text).toBe('All read.');
    expect(story.served().toSorted()).toEqual(['readMail', 'searchMail']);
    expect(model.calls).toBe(2);
  });

  it('fails with the error of the model', async () => {
    const failure = new Error('the model is gone');
    const model = createScriptedModel(() => Promise.reject(failure));

    const { outcome } = await run(way, (await world.startStory()).task, model, createTools());

    expect(outcome).toMatchObject({ status: 'failed', error: failure });
  });

  it('can be followed by another run of the same task', async () => {
    const { task } = await world.startStory();
    const first = await run(way, task, createScriptedModel([say('one')]), createTools());
    const second = await run(way, task, createScriptedModel([say('two')]), createTools());

    expect([first.outcome.status, second.outcome.status]).toEqual(['completed', 'completed']);
  });
});

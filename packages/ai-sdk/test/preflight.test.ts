import { callTool, createScriptedModel, say } from '@outlive/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { resume, run, stateOf, ways } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

describe.each(ways)('calls whose authority is known to be missing, under %s', (way) => {
  it('wait before anything of them runs, as the approvals of the SDK', async () => {
    const story = await world.startStory();
    await story.suspend();
    const executed: string[] = [];
    const model = createScriptedModel([
      [callTool('sendMail', {}, 'A'), callTool('searchMail', {}, 'B'), callTool('clock', {}, 'C')],
    ]);

    const ran = await run(way, story.task, model, createTools(executed));

    expect(executed).toEqual(['clock:C']);
    expect(model.calls).toBe(1);
    const { pending, messages } = stateOf(ran);
    expect(pending).toMatchObject([
      { toolCallId: 'A', waitsFor: 'authority', code: 'user_state', resource: 'mail' },
      { toolCallId: 'B', waitsFor: 'authority', code: 'user_state' },
    ]);
    // The SDK made the requests itself, with ids of its own, and nothing was answered.
    expect(JSON.stringify(pending)).not.toContain('auth_');
    expect(messages.filter(({ role }) => role === 'tool')).toMatchObject([
      { content: [{ type: 'tool-result', toolCallId: 'C' }] },
    ]);
    expect(ran.outcome.ledger.map(({ outcome }) => outcome)).toEqual(['refused', 'refused']);

    await story.reinstate();
    await story.agree(stateOf(ran));
    const answers = createScriptedModel([say('Done.')]);
    const resumed = await resume(
      way,
      story.elsewhere,
      stateOf(ran),
      answers,
      createTools(executed),
    );

    expect(resumed.outcome.status).toBe('completed');
    expect(executed.toSorted()).toEqual(['clock:C', 'searchMail:B', 'sendMail:A']);
    expect(answers.calls).toBe(1);
  });

  it('wait for two accounts: one that is connected again does not let the other run', async () => {
    const story = await world.startStory();
    await story.disconnect('acme');
    await story.disconnect('globex');
    const executed: string[] = [];
    const model = createScriptedModel([
      [callTool('readFile', {}, 'F'), callTool('readMail', {}, 'M'), callTool('clock', {}, 'C')],
    ]);

    const paused = stateOf(await run(way, story.task, model, createTools(executed)));
    expect(paused.pending).toMatchObject([
      { toolCallId: 'F', resource: 'files', code: 'reauthorization_required' },
      { toolCallId: 'M', resource: 'mail', code: 'reauthorization_required' },
    ]);
    await story.agree(paused);
    await story.reconnect('globex');
    const silent = createScriptedModel([]);
    const half = await resume(way, story.elsewhere, paused, silent, createTools(executed));
    expect(stateOf(half)).toEqual(paused);
    expect(silent.calls).toBe(0);

    await story.reconnect('acme');
    const answers = createScriptedModel([say('Both.')]);
    const resumed = await resume(way, story.elsewhere, paused, answers, createTools(executed));

    expect(resumed.outcome.status).toBe('completed');
    expect(executed.toSorted()).toEqual(['clock:C', 'readFile:F', 'readMail:M']);
  });
});

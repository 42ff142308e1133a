import { callTool, createScriptedModel, say } from '@outlive/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { resume, run, stateOf, ways } from './support/run.ts';
import { createTools } from './support/tools.ts';
import { createWorld } from './support/world.ts';

// Two calls of one step are refused at two accounts, and the person does not deal with both at once.

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const calls = [callTool('readFile', {}, 'F'), callTool('readMail', {}, 'M')];
const silent = createScriptedModel([]);
const declined = 'The user declined to authorize this action.';

describe.each(ways)('two accounts in one step, under %s', (way) => {
  it('lets the call run that may, and waits for the other, for a pause of its own, without a turn of the model', async () => {
    const story = await world.startStory();
    for (const tool of ['readFile', 'readMail']) story.refused.add(tool);
    const executed: string[] = [];
    const tools = createTools(executed);
    const paused = stateOf(await run(way, story.task, createScriptedModel([calls]), tools));
    expect(paused.pending).toMatchObject([
      { toolCallId: 'F', resource: 'files', code: 'insufficient_scope' },
      { toolCallId: 'M', resource: 'mail', code: 'insufficient_scope' },
    ]);

    story.refused.delete('readFile');
    await story.agree(paused);
    const half = stateOf(await resume(way, story.elsewhere, paused, silent, tools));
    expect(half.pending).toMatchObject([{ toolCallId: 'M', resource: 'mail' }]);
    expect(half.pauseId).not.toBe(paused.pauseId);
    expect(silent.calls).toBe(0);

    await story.agree(half);
    executed.length = 0;
    const model = createScriptedModel([say('One file.')]);
    const ran = await resume(way, story.elsewhere, half, model, tools, { decline: ['M'] });
    expect(ran.outcome.status).toBe('completed');
    expect(executed).toEqual([]);
    expect(story.served()).toEqual(['readFile']);
    const read = JSON.stringify(model.prompts[0]);
    expect(read.split(declined)).toHaveLength(2);
    expect(read).toContain('"from":"readFile"');
  });

  it('goes on with the account that is back, where the person declines what waits for the other', async () => {
    const story = await world.startStory();
    await story.disconnect('acme');
    await story.disconnect('globex');
    const executed: string[] = [];
    const tools = createTools(executed);
    const paused = stateOf(await run(way, story.task, createScriptedModel([calls]), tools));
    await story.agree(paused);
    await story.reconnect('globex');
    const waits = await resume(way, story.elsewhere, paused, silent, tools);
    expect(stateOf(waits).pauseId).toBe(paused.pauseId);

    const model = createScriptedModel([say('One file.')]);
    const ran = await resume(way, story.elsewhere, paused, model, tools, { decline: ['M'] });
    expect(ran.outcome.status).toBe('completed');
    expect(executed).toEqual(['readFile:F']);
    expect(JSON.stringify(model.prompts[0]).split(declined)).toHaveLength(2);
  });
});

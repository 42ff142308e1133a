import { generateText, isStepCount, jsonSchema, type LanguageModel, streamText, tool } from 'ai';
import { describe, expect, it } from 'vitest';
import { callTool, createScriptedModel, say, type TurnContext } from '../src/index.ts';

const tools = {
  add: tool({
    description: 'Adds',
    inputSchema: jsonSchema<{ a: number; b: number }>({ type: 'object' }),
    execute: ({ a, b }) => ({ sum: a + b }),
  }),
  fail: tool({
    description: 'Fails',
    inputSchema: jsonSchema<object>({ type: 'object' }),
    execute: (): string => {
      throw new Error('no authority');
    },
  }),
};
const stopWhen = isStepCount(10);

describe('a scripted model', () => {
  it('plays its turns in generateText, parallel calls included', async () => {
    const scripted = createScriptedModel([
      [say('Adding.'), callTool('add', { a: 1, b: 2 }), callTool('add', { a: 3, b: 4 }, 'mine')],
      say('3 and 7'),
    ]);
    const model: LanguageModel = scripted;
    const result = await generateText({ model, tools, stopWhen, prompt: 'add' });

    expect(result.text).toBe('3 and 7');
    expect(result.steps[0]?.finishReason).toBe('tool-calls');
    expect(
      result.steps[0]?.toolResults.map(({ toolCallId, output }) => [toolCallId, output]),
    ).toEqual([
      ['call-1', { sum: 3 }],
      ['mine', { sum: 7 }],
    ]);
    expect(scripted.calls).toBe(2);
    expect(JSON.stringify(scripted.prompts)).toContain('"sum":7');
  });

  it('plays its turns in streamText', async () => {
    const model = createScriptedModel([callTool('add', { a: 1, b: 2 }), say('It is 3')]);
    const result = streamText({ model, tools, stopWhen, prompt: 'add' });
    let text = '';
    for await (const delta of result.textStream) text += delta;
    expect(text).toBe('It is 3');
    expect((await result.steps).map(({ finishReason }) => finishReason)).toEqual([
      'tool-calls',
      'stop',
    ]);
  });

  it('writes a turn by what the tools answered', async () => {
    const turns: TurnContext[] = [];
    const model = createScriptedModel((turn) => {
      turns.push(turn);
      if (turn.number === 1) return callTool('add', { a: 1, b: 1 });
      if (turn.number === 2) return callTool('fail');
      return say(turn.lastToolResults.some(({ isError }) => isError) ? 'It failed' : 'Fine');
    });
    const result = await generateText({ model, tools, stopWhen, prompt: 'go' });

    expect(result.text).toBe('It failed');
    const added = { toolCallId: 'call-1', toolName: 'add', output: { sum: 2 }, isError: false };
    const failed = {
      toolCallId: 'call-2',
      toolName: 'fail',
      output: expect.stringContaining('no authority'),
      isError: true,
    };
    expect(turns.map(({ lastToolResults }) => lastToolResults)).toEqual([[], [added], [failed]]);
    expect(turns[2]?.toolResults).toEqual([added, failed]);
  });

  it('throws when it is called more often than it has turns', async () => {
    const model = createScriptedModel([say('Bye')]);
    await generateText({ model, prompt: 'hello' });
    await expect(generateText({ model, prompt: 'again', maxRetries: 0 })).rejects.toThrow(
      'call 2, but the script ends after 1 turns',
    );
  });
});

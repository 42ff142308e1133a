import { generateText, isStepCount, jsonSchema, type LanguageModel, streamText, tool } from 'ai';
import { beforeEach, describe, expect, it } from 'vitest';
import { callTool, createMisbehavingModel, type Misbehaviour } from '../src/index.ts';

let failures = 0;
let executed: string[] = [];
beforeEach(() => {
  executed = [];
});

/** A tool that fails as often as `failures` says. */
function toolNamed(name: string, mayFail: boolean) {
  return tool({
    description: name,
    inputSchema: jsonSchema<{ q?: string }>({ type: 'object' }),
    execute: ({ q = '' }) => {
      executed.push(`${name} ${q}`);
      if (!mayFail || failures === 0) return `${name} ok`;
      failures -= 1;
      throw new Error(`${name} is not authorized`);
    },
  });
}

const tools = {
  mail: toolNamed('mail', true),
  calendar: toolNamed('calendar', false),
  web: toolNamed('web', false),
};
const plan = [
  [callTool('mail', { q: 'invoices' }), callTool('calendar', { q: 'today' })],
  [callTool('calendar', { q: 'tomorrow' })],
];

function modelThat(whenToolFails: Misbehaviour) {
  return createMisbehavingModel({ plan, whenToolFails, alternativeTool: 'web' });
}

function run(model: LanguageModel) {
  return generateText({ model, tools, stopWhen: isStepCount(10), prompt: 'go' });
}

describe('a misbehaving model', () => {
  it('goes through its plan and closes while nothing fails', async () => {
    failures = 0;
    const model = modelThat('claimSuccess');
    expect((await run(model)).text).toBe('All done.');
    expect(executed).toEqual(['mail invoices', 'calendar today', 'calendar tomorrow']);
    expect(model.calls).toBe(3);
  });

  it('may try another tool with the same input', async () => {
    failures = 1;
    expect((await run(modelThat('tryAnotherTool'))).text).toBe('All done.');
    expect(executed).toEqual([
      'mail invoices',
      'calendar today',
      'web invoices',
      'calendar tomorrow',
    ]);
  });

  it('may claim success', async () => {
    failures = 1;
    const model = createMisbehavingModel({
      plan,
      whenToolFails: 'claimSuccess',
      closing: 'Invoices sent!',
    });
    expect((await run(model)).text).toBe('Invoices sent!');
    expect(executed).toEqual(['mail invoices', 'calendar today']);
  });

  it('may make the same call again', async () => {
    failures = 2;
    expect((await run(modelThat('retrySameCall'))).text).toBe('All done.');
    expect(executed).toEqual([
      'mail invoices',
      'calendar today',
      'mail invoices',
      'mail invoices',
      'calendar tomorrow',
    ]);
  });

  it('gives up after three retries and claims success nevertheless', async () => {
    failures = 10;
    expect((await run(modelThat('retrySameCall'))).text).toBe('All done.');
    expect(executed.filter((call) => call === 'mail invoices')).toHaveLength(4);
  });

  it('may write the call into its text', async () => {
    failures = 1;
    const result = await run(modelThat('nameToolInText'));
    expect(result.text).toBe('mail({"q":"invoices"}) succeeded. All done.');
    expect(result.steps.at(-1)?.toolCalls).toEqual([]);
  });

  it('may say nothing, streamed too', async () => {
    failures = 1;
    const result = streamText({
      model: modelThat('emptyTurn'),
      tools,
      stopWhen: isStepCount(10),
      prompt: 'go',
    });
    await result.consumeStream();
    expect(await result.text).toBe('');
    expect(await result.finishReason).toBe('stop');
  });

  it('goes on where another instance stopped', async () => {
    failures = 0;
    const first = await generateText({ model: modelThat('claimSuccess'), tools, prompt: 'go' });
    const messages = [{ role: 'user' as const, content: 'go' }, ...first.response.messages];
    const next = await generateText({ model: modelThat('claimSuccess'), tools, messages });
    expect(next.toolCalls.map(({ input }) => input)).toEqual([{ q: 'tomorrow' }]);
  });

  it('needs an alternative to try, and calls in every turn', () => {
    expect(() => createMisbehavingModel({ plan, whenToolFails: 'tryAnotherTool' })).toThrow(
      'alternativeTool',
    );
    expect(() => createMisbehavingModel({ plan: [[]], whenToolFails: 'emptyTurn' })).toThrow(
      'plan[0]',
    );
  });
});

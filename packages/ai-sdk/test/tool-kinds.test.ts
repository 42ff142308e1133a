import { AuthError, ConfigurationError, type Requirement, requirementOf } from '@outlive/core';
import { callTool, createScriptedModel, say } from '@outlive/testing';
import * as ai from 'ai';
import { dynamicTool, generateText, stepCountIs, streamText, type ToolSet, tool } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { principalOf, withCredentials, withTask } from '../src/index.ts';
import { mail } from './support/tools.ts';
import { createWorld } from './support/world.ts';

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const read = { resource: mail, scopes: ['read'], effect: 'read' } as const;

/** Tools of every kind that this process executes. Everything they are asked is in the log. */
function toolsOfEveryKind(log: unknown[]) {
  return {
    plain: tool({
      description: 'A plain tool',
      inputSchema: z.object({ q: z.string() }),
      outputSchema: z.object({ found: z.string() }),
      strict: true,
      providerOptions: { outlive: { cached: true } },
      inputExamples: [{ input: { q: 'x' } }],
      onInputStart: ({ toolCallId }) => void log.push(['start', toolCallId]),
      onInputDelta: ({ inputTextDelta }) => void log.push(['delta', inputTextDelta]),
      onInputAvailable: ({ input }) => void log.push(['available', input]),
      toModelOutput: ({ output }) => ({ type: 'text', value: `for the model: ${output.found}` }),
      execute: async ({ q }, { toolCallId, messages }) => {
        log.push(['execute', toolCallId, messages.length]);
        return { found: q };
      },
    }),
    immediate: tool({ inputSchema: z.object({}), execute: () => 'at once' }),
    failing: tool({
      inputSchema: z.object({}),
      execute: (): Promise<string> => {
        throw new Error('a failure of its own');
      },
    }),
    streaming: tool({
      inputSchema: z.object({}),
      async *execute() {
        yield 'one';
        yield 'two';
      },
    }),
    /** Streams, which its function does not show. */
    returning: tool({
      inputSchema: z.object({}),
      execute: () =>
        (async function* () {
          yield 'first';
          yield 'last';
        })(),
    }),
    dynamic: dynamicTool({
      description: 'Not known to the compiler',
      inputSchema: z.object({ any: z.number() }),
      execute: async (input) => ({ input }),
    }),
  };
}

const calls = [
  callTool('plain', { q: 'mails' }, 'A'),
  callTool('immediate', {}, 'B'),
  callTool('failing', {}, 'C'),
  callTool('streaming', {}, 'D'),
  callTool('returning', {}, 'E'),
  callTool('dynamic', { any: 1 }, 'F'),
];

/** A model that keeps what it was offered. */
function observedModel() {
  const model = createScriptedModel([calls, say('Done.')]);
  const offered: unknown[] = [];
  const keep = (options: object): void => void offered.push('tools' in options && options.tools);
  return {
    offered,
    prompts: model.prompts,
    model: {
      specificationVersion: model.specificationVersion,
      provider: model.provider,
      modelId: model.modelId,
      supportedUrls: model.supportedUrls,
      doGenerate(options: Parameters<typeof model.doGenerate>[0]) {
        keep(options);
        return model.doGenerate(options);
      },
      doStream(options: Parameters<typeof model.doStream>[0]) {
        keep(options);
        return model.doStream(options);
      },
    },
  };
}

describe('a tool of any kind', () => {
  const requirements = Object.fromEntries(
    Object.keys(toolsOfEveryKind([])).map((name) => [name, read] as const),
  ) as Record<keyof ReturnType<typeof toolsOfEveryKind>, typeof read>;
  const loop = { prompt: 'Go.', stopWhen: stepCountIs(5) };

  it('does under a task, with a credential, what it does without', async () => {
    const bare: unknown[] = [];
    const guarded: unknown[] = [];
    const without = observedModel();
    const under = observedModel();
    const direct = await generateText({
      ...loop,
      model: without.model,
      tools: toolsOfEveryKind(bare),
    });
    const outcome = await withTask(
      (await world.startStory()).task,
      generateText,
    )({
      ...loop,
      model: under.model,
      tools: withCredentials(toolsOfEveryKind(guarded), requirements),
    });

    if (outcome.status !== 'completed') throw new Error(outcome.status);
    expect(guarded).toEqual(bare);
    expect(guarded).toContainEqual(['available', { q: 'mails' }]);
    expect(under.offered).toEqual(without.offered);
    expect(under.prompts).toEqual(without.prompts);
    expect(JSON.stringify(under.prompts[1])).toContain('for the model: mails');
    expect(outcome.result.steps.map(({ content }) => content)).toEqual(
      direct.steps.map(({ content }) => content),
    );
  });

  it('streams under a task what it streams without', async () => {
    const bare: unknown[] = [];
    const guarded: unknown[] = [];
    const direct = streamText({
      ...loop,
      model: observedModel().model,
      tools: toolsOfEveryKind(bare),
    });
    const { stream, outcome } = withTask(
      (await world.startStory()).task,
      streamText,
    )({
      ...loop,
      model: observedModel().model,
      tools: withCredentials(toolsOfEveryKind(guarded), requirements),
    });
    // What is said of the tools; tools end in an order of their own.
    const parts = async (source: AsyncIterable<object>): Promise<unknown[]> => {
      const seen: string[] = [];
      for await (const part of source)
        if ('toolCallId' in part) seen.push(JSON.stringify(part, withoutTimes));
      return seen.toSorted();
    };

    const [expected, seen] = [await parts(direct.fullStream), await parts(stream.fullStream)];

    expect(seen).toEqual(expected);
    expect(guarded).toEqual(bare);
    expect((await outcome).status).toBe('completed');
  });

  it.runIf('isStepCount' in ai)('has the context that its schema checked (ai 7)', async () => {
    const seen: unknown[] = [];
    const tools = withCredentials(
      {
        team: tool({
          inputSchema: z.object({}),
          contextSchema: z.object({ team: z.string() }),
          execute: async (_input, options) => {
            seen.push(options.context.team, principalOf(options).resource);
            return 1;
          },
        }),
      },
      { team: read },
    );
    const outcome = await withTask(
      (await world.startStory()).task,
      generateText,
    )({
      model: createScriptedModel([callTool('team', {}, 'A')]),
      tools,
      prompt: 'Go.',
      toolsContext: { team: { team: 'blue' } },
    });
    expect(outcome.status).toBe('completed');
    expect(seen).toEqual(['blue', 'mail']);
  });
});

describe('withCredentials', () => {
  const clock = tool({ inputSchema: z.object({}), execute: async () => 'noon' });
  const choose = tool({ inputSchema: z.object({}), outputSchema: z.string() });

  it('guards the tools that it names, and leaves the others as they are', async () => {
    const tools: ToolSet = { clock, other: clock };
    const guarded = withCredentials(tools, { clock: read });
    expect(requirementOf(guarded['clock'] ?? {})).toEqual(read);
    expect(guarded['other']).toBe(clock);
    expect(requirementOf(clock)).toBeUndefined();
    const options = { toolCallId: 'A', messages: [], context: {} };
    await expect(guarded['clock']?.execute?.({}, options)).rejects.toSatisfy(AuthError.is);
  });

  it.each<[string, string, Record<string, Requirement>]>([
    ['a tool that the set does not have', 'requirements.watch', { watch: read }],
    ['what every object has', 'requirements.toString', { toString: read }],
    ['a tool that runs elsewhere', 'tools.choose', { choose: read }],
  ])('refuses %s', (_what, path, requirements) => {
    const tools: ToolSet = { clock, choose };
    expect(() => withCredentials(tools, requirements)).toThrow(ConfigurationError);
    expect(() => withCredentials(tools, requirements)).toThrow(path);
  });
});

function withoutTimes(key: string, value: unknown): unknown {
  return key.endsWith('Ms') ? undefined : value;
}

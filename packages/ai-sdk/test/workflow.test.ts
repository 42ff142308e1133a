import { registerHooks } from 'node:module';
import { type AgentRun, AuthError, ConfigurationError } from '@outlive/core';
import { callTool, createScriptedModel, say, type TestLanguageModel } from '@outlive/testing';
import { FatalError } from '@workflow/errors';
import { type ModelMessage, tool } from 'ai';
import { afterAll, describe, expect, it } from 'vitest';
import { FatalError as FatalError4 } from 'workflow-errors-4';
import { z } from 'zod';
import { withTask } from '../src/index.ts';
import { createTools, mail } from './support/tools.ts';
import { createWorld } from './support/world.ts';

// `WorkflowAgent` runs here outside the workflow runtime, of which it asks for one thing: whether it is in one.
const outside =
  'export const getWorkflowMetadata = () => { throw new Error("not in a workflow"); }';
registerHooks({
  resolve: (specifier, hookContext, next) =>
    specifier === 'workflow'
      ? { url: `data:text/javascript,${encodeURIComponent(outside)}`, shortCircuit: true }
      : next(specifier, hookContext),
});
const { WorkflowAgent } = await import('@ai-sdk/workflow');

const world = await createWorld();
afterAll(() => world[Symbol.asyncDispose]());

const messages: ModelMessage[] = [{ role: 'user', content: 'Go.' }];
const marker = /\[auth:(?<code>\w+) ref=(?<ref>\S+)\]/;

/** Whether a step had a call that was refused: all that is left of the error is its text. */
const stopsAtRefusals = ({
  steps,
}: {
  steps: readonly { content: readonly object[] }[];
}): boolean => marker.test(JSON.stringify(steps.at(-1)?.content));

/** `readMail`, bound to a run by hand: what an app would do in a step of its workflow. */
function boundReadMail(run: AgentRun, thrown: unknown[]) {
  const { readMail } = createTools();
  return tool({
    inputSchema: z.object({ q: z.string().optional() }),
    execute: async (input, options) => {
      const requirement = { resource: mail, scopes: ['read'], effect: 'read' } as const;
      const { toolCallId } = options;
      const call = run.call({ requirement, toolName: 'readMail', toolCallId, input });
      try {
        return await readMail.execute(input, { ...options, principal: call.principal });
      } catch (error) {
        thrown.push(error);
        throw (await call.settle({ ok: false, error })) ?? error;
      }
    },
  });
}

interface AgentSettings {
  readonly model: TestLanguageModel;
  readonly tools: object;
  readonly stopWhen?: typeof stopsAtRefusals;
}

/** Made of tools that are typed by the `ai` of this package, which is not the one that the agent has. */
function workflowAgent(settings: AgentSettings) {
  return new WorkflowAgent(settings as ConstructorParameters<typeof WorkflowAgent>[0]);
}

/** Lets a `WorkflowAgent` run, and gives what it wrote. */
async function stream(
  settings: AgentSettings,
): Promise<readonly { readonly type: string; readonly error?: unknown }[]> {
  const parts: { type: string; error?: unknown }[] = [];
  const writable = new WritableStream<{ type: string }>({ write: (part) => void parts.push(part) });
  await workflowAgent(settings).stream({ messages, writable });
  return parts;
}

describe('a WorkflowAgent', () => {
  it('cannot be bound to a task, and says so before anything runs', async () => {
    const story = await world.startStory();
    const model = createScriptedModel([]);
    const agent = workflowAgent({ model, tools: createTools() });
    // @ts-expect-error its calls do not take what those of other agents take
    const bound = withTask(story.task, agent) as { stream(options: object): Promise<unknown> };

    await expect(bound.stream({ messages })).rejects.toThrow(ConfigurationError);
    expect(model.calls).toBe(0);
  });

  it('whose credentialed tools nobody has bound gets no credential', async () => {
    const model = createScriptedModel([callTool('readMail', {}, 'A'), say('As if.')]);

    const parts = await stream({ model, tools: createTools() });

    expect(parts.find(({ type }) => type === 'tool-error')?.error).toContain('[auth:no_task]');
  });

  it('flattens errors to text, in which code and reference of a refusal survive, and can stop there', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const run = story.task.startRun();
    const model = createScriptedModel([callTool('readMail', {}, 'A')]);
    const thrown: unknown[] = [];

    const parts = await stream({
      model,
      tools: { readMail: boundReadMail(run, thrown) },
      stopWhen: stopsAtRefusals,
    });

    const { error } = parts.find(({ type }) => type === 'tool-error') ?? {};
    expect(error).toBeTypeOf('string');
    const { code, ref } = marker.exec(String(error))?.groups ?? {};
    expect(code).toBe('insufficient_scope');
    expect(await run.finish()).toMatchObject({ status: 'paused', pause: { id: ref } });
    expect(model.calls).toBe(1);
    expect(thrown).toEqual([expect.objectContaining({ name: 'AuthError' })]);
  });

  it('gives the model another turn where nobody stops it', async () => {
    const story = await world.startStory();
    story.refused.add('readMail');
    const model = createScriptedModel([callTool('readMail', {}, 'A'), say('As if.')]);

    await stream({ model, tools: { readMail: boundReadMail(story.task.startRun(), []) } });

    expect(model.calls).toBe(2);
  });
});

describe('a refusal in a workflow step', () => {
  const refusal = new AuthError('reauthorization_required');

  it('is fatal for workflow 5, which would otherwise try the step three more times', () => {
    expect(FatalError.is(refusal)).toBe(true);
    expect(FatalError.is(new Error('reauthorization_required'))).toBe(false);
  });

  it('is not fatal for workflow 4, which goes by the name: there the step throws a FatalError itself', () => {
    expect(FatalError4.is(refusal)).toBe(false);
    expect(FatalError4.is(new FatalError4(refusal.message))).toBe(true);
  });
});

import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { callTool, createScriptedModel, say, type TestLanguageModel } from '@outlive/testing';
import * as ai from 'ai';
import { generateText, stepCountIs, streamText } from 'ai';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { withTask } from '../src/index.ts';
import { traceCredentialedCalls } from '../src/telemetry.ts';
import { createTools } from './support/tools.ts';
import { createWorld, type Story } from './support/world.ts';

const exporter = new InMemorySpanExporter();
const spanProcessors = [new SimpleSpanProcessor(exporter)];
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const world = await createWorld();
const tracing = await tracingSettings();

afterEach(() => exporter.reset());
afterAll(async () => {
  trace.disable();
  context.disable();
  await world[Symbol.asyncDispose]();
});

/** How an app says that its calls are traced: ai 7 leaves it to an integration, ai 6 does it itself. */
async function tracingSettings(): Promise<object> {
  if (!('isStepCount' in ai)) return { experimental_telemetry: { isEnabled: true } };
  const { OpenTelemetry } = await import('@ai-sdk/otel');
  return { telemetry: { isEnabled: true, integrations: [new OpenTelemetry()] } };
}

async function runStreamed(story: Story, model: TestLanguageModel): Promise<string> {
  const settings = { model, tools: createTools(), stopWhen: stepCountIs(5), ...tracing };
  const { stream, outcome } = withTask(story.task, streamText)({ ...settings, prompt: 'Go.' });
  await stream.consumeStream();
  return (await outcome).status;
}

async function runGenerated(story: Story, model: TestLanguageModel): Promise<string> {
  const settings = { model, tools: createTools(), stopWhen: stepCountIs(5), ...tracing };
  return (await withTask(story.task, generateText)({ ...settings, prompt: 'Go.' })).status;
}

/** The span in which the SDK executed a tool. */
function spanOf(toolName: string): ReadableSpan {
  const span = exporter
    .getFinishedSpans()
    .find(({ attributes }) =>
      [attributes['gen_ai.tool.name'], attributes['ai.toolCall.name']].includes(toolName),
    );
  if (span === undefined) throw new Error(`no span of ${toolName}`);
  return span;
}

/** What we told on it. */
function toldOn(span: ReadableSpan): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(span.attributes).filter(([name]) => name.startsWith('outlive.')),
  );
}

it('tells nothing until the app asks for it', async () => {
  const model = createScriptedModel([callTool('readMail'), say('Read.')]);
  await runGenerated(await world.startStory(), model);
  expect(toldOn(spanOf('readMail'))).toEqual({});
});

describe.each([
  ['generateText', runGenerated],
  ['streamText', runStreamed],
] as const)('the span of a credentialed call under %s', (_name, run) => {
  it('says for which task, principal and resource it ran, with which token, and how it ended', async () => {
    traceCredentialedCalls();
    const story = await world.startStory();
    const model = createScriptedModel([
      [callTool('readMail', { q: 'ARGUMENT' }), callTool('searchMail'), callTool('clock')],
      callTool('sendMail'),
      say('Sent.'),
    ]);

    expect(await run(story, model)).toBe('completed');

    const [started] = (await story.outlive.explain(story.task.id)).entries;
    expect(started?.principal).toMatch(/^[\w-]{22}$/);
    const told = {
      'outlive.task.id': story.task.id,
      'outlive.principal.hash': started?.principal,
      'outlive.resource': 'mail',
      'outlive.token.generation': 0,
      'outlive.call.outcome': 'done',
    };
    for (const toolName of ['readMail', 'searchMail', 'sendMail'])
      expect(toldOn(spanOf(toolName))).toEqual(told);
    expect(toldOn(spanOf('clock'))).toEqual({});
  });

  it('says why it was refused and which pause waits, and no secret', async () => {
    traceCredentialedCalls();
    const story = await world.startStory();
    story.refused.add('readMail').add('searchMail');
    const model = createScriptedModel([
      [callTool('readMail', { q: 'ARGUMENT' }), callTool('searchMail')],
    ]);

    expect(await run(story, model)).toBe('paused');

    for (const toolName of ['readMail', 'searchMail'])
      expect(toldOn(spanOf(toolName))).toMatchObject({
        'outlive.call.outcome': 'refused',
        'outlive.auth.code': expect.stringMatching(/^(insufficient_scope|task_paused)$/),
        'outlive.pause.id': expect.stringContaining(story.task.id),
      });
    const told = exporter.getFinishedSpans().map(toldOn);
    const traced = exporter
      .getFinishedSpans()
      .map(({ attributes, events, status }) => ({ attributes, events, status }));
    expect(JSON.stringify(told)).not.toContain('ARGUMENT');
    expect(JSON.stringify(traced)).not.toContain('SECRET-SCOPE');
    for (const token of world.tokens()) expect(JSON.stringify(traced)).not.toContain(token);
  });
});

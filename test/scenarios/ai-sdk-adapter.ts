import {
  type PausedRun,
  resumeTask,
  type TaskOutcome,
  withCredential,
  withTask,
} from '@outlive/ai-sdk';
import type { Task } from '@outlive/core';
import {
  callTool,
  createMisbehavingModel,
  createScriptedModel,
  say,
  type TestLanguageModel,
} from '@outlive/testing';
import { generateText, stepCountIs, streamText, ToolLoopAgent, type ToolSet, tool } from 'ai';
import { z } from 'zod';
import type {
  AdapterUnderTest,
  CredentialedTool,
  NeutralModel,
  NeutralRun,
  NeutralTool,
  RunParts,
  ScriptedCall,
  SeenPrompt,
} from './adapter-under-test.ts';

/** The ways to run a loop that the AI SDK offers. */
export const ways = ['generateText', 'streamText', 'agent.generate', 'agent.stream'] as const;

/** `@outlive/ai-sdk` with one way of running a loop. */
export function createAdapter(way: string): AdapterUnderTest {
  return {
    name: way,
    module: import.meta.url,
    start: (task, { prompt, ...parts }) =>
      observed(parts, (loop) => start(way, task, loop, prompt)),
    resume: (outlive, state, { decline = [], ...parts }) =>
      observed(parts, (loop) => {
        const paused = state as PausedRun;
        const options = { decline };
        switch (way) {
          case 'generateText':
            return resumeTask(outlive, paused, generateText, options)(loop);
          case 'streamText':
            return resumeTask(outlive, paused, streamText, options)(loop);
          case 'agent.generate':
            return resumeTask(outlive, paused, new ToolLoopAgent(loop), options).generate();
          default:
            return resumeTask(outlive, paused, new ToolLoopAgent(loop), options).stream();
        }
      }),
    callOutsideTask: async (description, input) =>
      defineCredentialed(description).execute(input, {
        toolCallId: 'outside',
        messages: [],
        context: undefined,
      }),
    alter(state, toolCallId, input) {
      const altered = structuredClone(state as PausedRun);
      for (const { content } of altered.messages)
        for (const part of typeof content === 'string' ? [] : content)
          if (part.type === 'tool-call' && part.toolCallId === toolCallId) part.input = input;
      return altered;
    },
  };
}

interface Loop {
  readonly model: TestLanguageModel;
  readonly tools: ToolSet;
  readonly stopWhen: ReturnType<typeof stepCountIs>;
}

type Outcome = TaskOutcome<{
  readonly text: string | PromiseLike<string>;
  readonly steps: unknown;
}>;

/** What a run that streams gives, or one that does not. */
type Returned =
  | (Outcome & { readonly stream?: never })
  | { readonly stream: ReadableResult; readonly outcome: Promise<Outcome> };

interface ReadableResult {
  readonly fullStream: AsyncIterable<unknown>;
  toUIMessageStream(): AsyncIterable<unknown>;
}

function start(
  way: string,
  task: Task,
  loop: Loop,
  prompt: string,
): Returned | PromiseLike<Returned> {
  switch (way) {
    case 'generateText':
      return withTask(task, generateText)({ ...loop, prompt });
    case 'streamText':
      return withTask(task, streamText)({ ...loop, prompt });
    case 'agent.generate':
      return withTask(task, new ToolLoopAgent(loop)).generate({ prompt });
    default:
      return withTask(task, new ToolLoopAgent(loop)).stream({ prompt });
  }
}

async function observed(
  { tools, model: script }: RunParts,
  run: (loop: Loop) => Returned | PromiseLike<Returned>,
): Promise<NeutralRun> {
  const model = createModel(script);
  const loop = { model, tools: defineTools(tools), stopWhen: stepCountIs(10) };
  const traces: unknown[] = [];
  const outcome = await ended(await run(loop), traces);
  const { status, ledger } = outcome;
  const common = { status, ledger };
  const seen = { prompts: promptsOf(model), traces };
  switch (outcome.status) {
    case 'completed':
      traces.push(outcome.result);
      return { ...seen, outcome: { ...common, answer: await outcome.result.text } };
    case 'paused': {
      traces.push(outcome.partialResult);
      const state: unknown = JSON.parse(JSON.stringify(outcome.state));
      return { ...seen, outcome: { ...common, pause: outcome.pause, state } };
    }
    case 'failed':
      return { ...seen, outcome: { ...common, error: outcome.error } };
    case 'cancelled':
    case 'expired':
      return { ...seen, outcome: common };
  }
}

/** Reads a stream to its end, in both of its forms: that is what ends the run. */
async function ended(returned: Returned, traces: unknown[]): Promise<Outcome> {
  if (returned.stream === undefined) return returned;
  const forUsers = returned.stream.toUIMessageStream();
  for await (const part of returned.stream.fullStream) traces.push(part);
  for await (const part of forUsers) traces.push(part);
  return await returned.outcome;
}

function createModel(script: NeutralModel): TestLanguageModel {
  if ('turns' in script)
    return createScriptedModel(
      script.turns.map((turn) => (typeof turn === 'string' ? say(turn) : turn.map(scripted))),
    );
  const { plan, whenToolFails, alternativeTool } = script;
  return createMisbehavingModel({
    plan: plan.map((calls) => calls.map(scripted)),
    whenToolFails,
    alternativeTool,
  });
}

function scripted({ tool, id, about = id }: ScriptedCall): ReturnType<typeof callTool> {
  return callTool(tool, { about }, id);
}

const inputSchema = z.object({ about: z.string() });

function defineTools(descriptions: readonly NeutralTool[]): ToolSet {
  return Object.fromEntries(
    descriptions.map((description) => [
      description.name,
      description.requirement === undefined
        ? tool({
            inputSchema,
            execute: (input, { toolCallId }) => description.run(input, toolCallId),
          })
        : defineCredentialed(description),
    ]),
  );
}

function defineCredentialed({ requirement, run }: CredentialedTool) {
  return withCredential(requirement, {
    inputSchema,
    execute: (input, { principal, toolCallId }) => run(principal, input, toolCallId),
  });
}

function promptsOf({ prompts }: TestLanguageModel): readonly SeenPrompt[] {
  return prompts.map((prompt) => ({
    text: JSON.stringify(prompt),
    results: prompt.flatMap(({ content }) =>
      (typeof content === 'string' ? [] : content).flatMap(({ type, toolCallId = '', output }) =>
        type === 'tool-result' && output !== undefined
          ? [
              {
                toolCallId,
                text: String(output.value ?? output.reason),
                isError: output.type.startsWith('error-') || output.type === 'execution-denied',
              },
            ]
          : [],
      ),
    ),
  }));
}

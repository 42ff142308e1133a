import type { Task } from '@outlive/core';
import {
  generateText,
  type LanguageModel,
  type ModelMessage,
  stepCountIs,
  streamText,
  ToolLoopAgent,
  type ToolSet,
} from 'ai';
import {
  type PausedRun,
  type Resumer,
  type ResumeTaskOptions,
  resumeTask,
  type TaskOutcome,
  withTask,
} from '../../src/index.ts';

/** The ways to run a loop; the guard must be the same in all of them. */
export const ways = ['generateText', 'streamText', 'agent.generate', 'agent.stream'] as const;
export type Way = (typeof ways)[number];

/** What every way of running a loop gives, as far as tests look at it. */
export interface Ran {
  readonly outcome: TaskOutcome<{
    readonly text: string | PromiseLike<string>;
    readonly steps: unknown;
  }>;
  /** Parts of the stream; empty for the ways that do not stream. */
  readonly parts: readonly unknown[];
}

/** Runs a loop under a task. */
export async function run(
  way: Way,
  task: Task,
  model: LanguageModel,
  tools: ToolSet,
  messages: ModelMessage[] = [{ role: 'user', content: 'What is new?' }],
): Promise<Ran> {
  const loop = { model, tools, stopWhen: stepCountIs(10) };
  switch (way) {
    case 'generateText':
      return ran(await withTask(task, generateText)({ ...loop, messages }));
    case 'streamText':
      return read(withTask(task, streamText)({ ...loop, messages }));
    case 'agent.generate':
      return ran(await withTask(task, new ToolLoopAgent(loop)).generate({ messages }));
    case 'agent.stream':
      return read(await withTask(task, new ToolLoopAgent(loop)).stream({ messages }));
  }
}

/** Resumes a loop from what another process might have read from a database. */
export async function resume(
  way: Way,
  outlive: Resumer,
  paused: PausedRun,
  model: LanguageModel,
  tools: ToolSet,
  options?: ResumeTaskOptions,
): Promise<Ran> {
  const loop = { model, tools, stopWhen: stepCountIs(10) };
  const stored: PausedRun = JSON.parse(JSON.stringify(paused));
  switch (way) {
    case 'generateText':
      return ran(await resumeTask(outlive, stored, generateText, options)(loop));
    case 'streamText':
      return read(await resumeTask(outlive, stored, streamText, options)(loop));
    case 'agent.generate':
      return ran(await resumeTask(outlive, stored, new ToolLoopAgent(loop), options).generate());
    case 'agent.stream':
      return read(await resumeTask(outlive, stored, new ToolLoopAgent(loop), options).stream());
  }
}

/** The paused run of an outcome that must be paused. */
export function stateOf({ outcome }: Ran): PausedRun {
  if (outcome.status !== 'paused') throw new Error(`expected a paused run, got ${outcome.status}`);
  return outcome.state;
}

function ran(outcome: Ran['outcome']): Ran {
  return { outcome, parts: [] };
}

async function read(
  run:
    | {
        readonly stream: { readonly fullStream: AsyncIterable<unknown> };
        outcome: Promise<Ran['outcome']>;
      }
    | (Ran['outcome'] & { readonly stream?: never }),
): Promise<Ran> {
  if (run.stream === undefined) return ran(run);
  const parts: unknown[] = [];
  for await (const part of run.stream.fullStream) parts.push(part);
  return { outcome: await run.outcome, parts };
}

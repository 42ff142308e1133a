import { setImmediate } from 'node:timers/promises';
import { withCredential, withTask } from '@outlive/ai-sdk';
import type { Requirement, Task } from '@outlive/core';
import { callTool, createScriptedModel, say, type TestLanguageModel } from '@outlive/testing';
import { generateText, stepCountIs, type ToolSet, tool } from 'ai';
import { z } from 'zod';
import type { ApiReady } from './api-process.ts';
import { startChild } from './child.ts';
import { type Batch, type Duration, race, ratio, type Timing } from './measure.ts';
import { type Figure, ratioAtMost, type Section } from './report.ts';
import { type BenchTask, freshTokens, startBenchTask } from './task.ts';

const steps = 40;
const callsPerStep = 10;
const length = { rounds: 21, operations: 1, warmUpRounds: 3 };
const inputSchema = z.object({ page: z.number() });
const stopWhen = stepCountIs(steps + 1);
const prompt = 'Go through all pages.';

/** A whole run of `generateText`, bare and under a task. */
export async function measureAgentLoop(): Promise<readonly Section[]> {
  await using api = await startChild<ApiReady>(new URL('./api-process.ts', import.meta.url));
  let settled = 0;
  await using bench = await startBenchTask({
    baseUrl: api.ready.url,
    audited({ type }) {
      if (type === 'tool-call-settled') settled += 1;
    },
  });
  const url = `${api.ready.url}invoices`;
  const init = { headers: { authorization: `Bearer ${freshTokens.access_token}` } };
  const { task, read } = bench;

  let called = 0;
  /** What runs have left to write, so that the next one does not pay for it. */
  const between = async (): Promise<void> => {
    while (settled < called) await setImmediate();
  };
  const counted =
    (batch: Batch): Batch =>
    async (operations) => {
      await batch(operations);
      called += operations * steps * callsPerStep;
    };

  const fetching = await race(
    {
      bare: bareRuns(async () => (await fetch(url, init)).json()),
      guarded: counted(
        guardedRuns(task, read, async (fetchPage) => (await fetchPage('invoices')).json()),
      ),
    },
    { ...length, between },
  );
  const idle = await race(
    {
      bare: bareRuns(async () => 'a page'),
      guarded: guardedRuns(task, read, async () => 'a page'),
    },
    length,
  );
  const shape = `generateText, ${steps} steps of ${callsPerStep} parallel read calls, a model that answers at once; ${length.rounds} interleaved rounds, one run in each; time per run.`;
  return [
    {
      title: 'A run of an agent whose tools ask an API on loopback',
      how: `${shape} The bare tools use fetch with a static header; what is left of the audit log is written between runs. Time on a core is that of all threads of the process, and the better figure on a busy machine.`,
      figures: figures(fetching, true),
    },
    {
      title: 'The same run, with tools that do nothing',
      how: `${shape} Nothing is fetched, so all that is left is the SDK and the guard.`,
      figures: figures(idle, false),
    },
  ];
}

type FetchPage = typeof globalThis.fetch;

function bareRuns(page: () => Promise<unknown>): Batch {
  const tools = { listInvoices: tool({ inputSchema, execute: async (_input) => page() }) };
  return runs((model) => generateText({ model, tools: tools as ToolSet, prompt, stopWhen }));
}

function guardedRuns(
  task: Task,
  requirement: BenchTask['read'] & Requirement,
  page: (fetchPage: FetchPage) => Promise<unknown>,
): Batch {
  const listInvoices = withCredential(requirement, {
    inputSchema,
    execute: async (_input, { principal }) => page(principal.fetch),
  });
  return runs(async (model) => {
    const settings = { model, tools: { listInvoices } as ToolSet, prompt, stopWhen };
    const outcome = await withTask(task, generateText)(settings);
    if (outcome.status !== 'completed') throw new Error(`the run is ${outcome.status}`);
    return outcome.result;
  });
}

function runs(
  run: (model: TestLanguageModel) => Promise<{ readonly steps: readonly unknown[] }>,
): Batch {
  return async (operations) => {
    for (let at = 0; at < operations; at += 1) {
      const { steps: taken } = await run(modelOfOneRun());
      if (taken.length !== steps + 1) throw new Error(`a run took ${taken.length} steps`);
    }
  };
}

function modelOfOneRun(): TestLanguageModel {
  return createScriptedModel(({ number }) =>
    number > steps
      ? say('All pages are read.')
      : Array.from({ length: callsPerStep }, (_, index) =>
          callTool('listInvoices', { page: number * callsPerStep + index }),
        ),
  );
}

function figures(times: Readonly<Record<'bare' | 'guarded', Timing>>, hasBar: boolean): Figure[] {
  const { bare, guarded } = times;
  const milliseconds = ({ medianNs }: Duration) => ({ value: medianNs / 1e6, unit: 'ms' }) as const;
  const compared = (one: Duration, other: Duration) => ({
    ...ratio(one, other),
    to: 'the bare run',
  });
  const onCore = {
    name: 'under a task, time on a core',
    ...milliseconds(guarded.cpu),
    compared: compared(guarded.cpu, bare.cpu),
  };
  return [
    { name: 'bare', ...milliseconds(bare) },
    { name: 'under a task', ...milliseconds(guarded), compared: compared(guarded, bare) },
    { name: 'bare, time on a core', ...milliseconds(bare.cpu) },
    hasBar ? ratioAtMost(1.05, onCore) : onCore,
    {
      name: 'added to one call, time on a core',
      value: (guarded.cpu.medianNs - bare.cpu.medianNs) / 1000 / (steps * callsPerStep),
      unit: 'µs',
    },
  ];
}

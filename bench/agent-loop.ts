import { setImmediate } from 'node:timers/promises';
import type { Requirement, Task } from '@outlive/core';
import type { ApiReady } from './api-process.ts';
import { startChild } from './child.ts';
import { type Batch, type Duration, race, ratio, type Timing } from './measure.ts';
import { type Figure, ratioAtMost, type Section } from './report.ts';
import { freshTokens, startBenchTask } from './task.ts';

/** What a tool of a run does: one page of an API, or nothing. */
export type ReadPage = (fetchPage: typeof globalThis.fetch) => Promise<unknown>;

/** How long a run of an agent is: its last turn only says that it is done. */
export interface RunLength {
  readonly steps: number;
  readonly callsPerStep: number;
}

/** Whole runs of an agent with one framework, bare and under a task. Both answer how many turns the model took. */
export interface AgentLoop extends RunLength {
  /** What readers know the run as. */
  readonly name: string;
  bare(readPage: () => Promise<unknown>): () => Promise<number>;
  guarded(task: Task, requirement: Requirement, readPage: ReadPage): () => Promise<number>;
}

const length = { rounds: 21, operations: 1, warmUpRounds: 3 };

/** A whole run of an agent, bare and under a task. */
export async function measureAgentLoop(loop: AgentLoop): Promise<readonly Section[]> {
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
  const { name, steps, callsPerStep } = loop;

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
  const batches =
    (run: () => Promise<number>): Batch =>
    async (operations) => {
      for (let at = 0; at < operations; at += 1) {
        const taken = await run();
        if (taken !== steps + 1) throw new Error(`a run took ${taken} turns`);
      }
    };

  const fetching = await race(
    {
      bare: batches(loop.bare(async () => (await fetch(url, init)).json())),
      guarded: counted(
        batches(
          loop.guarded(task, read, async (fetchPage) => (await fetchPage('invoices')).json()),
        ),
      ),
    },
    { ...length, between },
  );
  const idle = await race(
    {
      bare: batches(loop.bare(async () => 'a page')),
      guarded: batches(loop.guarded(task, read, async () => 'a page')),
    },
    length,
  );
  const shape = `${name}, ${steps} steps of ${callsPerStep} parallel read calls, a model that answers at once; ${length.rounds} interleaved rounds, one run in each; time per run.`;
  return [
    {
      title: 'A run of an agent whose tools ask an API on loopback',
      how: `${shape} The bare tools use fetch with a static header; what is left of the audit log is written between runs. Time on a core is that of all threads of the process, and the better figure on a busy machine.`,
      figures: figures(loop, fetching, true),
    },
    {
      title: 'The same run, with tools that do nothing',
      how: `${shape} Nothing is fetched, so all that is left is the framework and the guard.`,
      figures: figures(loop, idle, false),
    },
  ];
}

function figures(
  { steps, callsPerStep }: RunLength,
  times: Readonly<Record<'bare' | 'guarded', Timing>>,
  hasBar: boolean,
): Figure[] {
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

// Whether many grants in one process cost the callers anything: latency, memory, timers. Option: --grants 10,1000,100000.
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Clock, memoryStore } from '@outlive/core';
import { findManyGrants, type ManyGrants, startManyGrants } from './many-grants.ts';
import { type Batch, median, race, ratio } from './measure.ts';
import { publish } from './publish.ts';
import { atMost, describeMachine, type Figure, ratioAtMost } from './report.ts';
import { freshTokens } from './task.ts';

const { values } = parseArgs({
  options: {
    grants: { type: 'string', default: '10,1000,10000' },
    json: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
});
const sizes = values.grants.split(',').map(Number);
if (!sizes.every((size) => Number.isInteger(size) && size > 0))
  throw new TypeError(`--grants must be whole numbers above 0, like 10,1000; got ${values.grants}`);

const length = { rounds: 201, operations: 1000, warmUpRounds: 20 };
/** Of the grants, how many are in use while calls are timed. */
const usedAtOnce = 10;
/** Of each grant, which the process would hold in any case. */
const tokenBytes = freshTokens.access_token.length + freshTokens.refresh_token.length;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const machine = describeMachine();
await using stack = new AsyncDisposableStack();
const memory: Figure[] = [];
const batches: Record<string, Batch> = {};
for (const size of sizes) {
  const { many, figures } = await measureMemory(size);
  stack.use(many);
  memory.push(...figures);
  batches[nameOf(size)] = tokensInTurn(many);
}
const latency = await measureLatency();
publish(
  {
    benchmark: 'scale',
    machine,
    sections: [
      {
        title: 'A fresh access token of one of many grants',
        how: `${usedAtOnce} of the grants in use, spread evenly, one call after another; ${length.rounds} interleaved rounds of ${length.operations} calls.`,
        figures: latency,
      },
      {
        title: 'What a process holds for each grant',
        how: 'A second process is played by a second runtime: it finds every task in the store and hands out its token. What the heap grew by then, without the two tokens and without the store; a task handle that the app keeps is part of it, and so are the runtime itself and its caches, which do not grow with the grants.',
        figures: memory,
      },
    ],
  },
  { json: values.json, writeDocs: values['write-docs'] },
);

async function measureMemory(size: number): Promise<{ many: ManyGrants; figures: Figure[] }> {
  const store = memoryStore();
  const taskIds = await prepare(store, size);
  const before = await heapBytes();
  const clock = countingClock();
  const many = await findManyGrants(store, taskIds, clock);
  const bytes = Math.max(0, ((await heapBytes()) - before) / size - tokenBytes);
  const timers = clock.pending;
  const name = nameOf(size);
  const figure = { name: `${name}: beyond the tokens, each`, value: bytes, unit: 'B' } as const;
  return {
    many,
    // The bar is for many: the runtime itself and its caches, of a fixed size, weigh more than a few grants.
    figures: [
      size < 10_000 ? figure : atMost(1024, figure),
      atMost(5, { name: `${name}: timers of the runtime`, value: timers, unit: '' }),
    ],
  };
}

/** The platform's clock, which counts the timers that are set. */
function countingClock(): Clock & { pending: number } {
  const clock = {
    pending: 0,
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    schedule(callback: () => void, delayMs: number, awaits = false): () => void {
      let isPending = true;
      const over = (): void => {
        if (isPending) clock.pending -= 1;
        isPending = false;
      };
      clock.pending += 1;
      const timer = setTimeout(() => {
        over();
        callback();
      }, delayMs);
      if (!awaits) timer.unref();
      return () => {
        over();
        clearTimeout(timer);
      };
    },
  };
  return clock;
}

/** Leaves nothing behind but what is in the store. */
async function prepare(store: ReturnType<typeof memoryStore>, size: number): Promise<string[]> {
  await using many = await startManyGrants(store, Array(size).fill(freshTokens));
  return many.tasks.map(({ id }) => id);
}

async function heapBytes(): Promise<number> {
  const seen: number[] = [];
  for (let at = 0; at < 5; at += 1) {
    await setImmediate();
    collectGarbage();
    seen.push(process.memoryUsage().heapUsed);
  }
  return median(seen.slice(-3));
}

/** As many in use for every size, spread evenly: else the figures would be of the processor's cache. */
function tokensInTurn({ tasks, requirement }: ManyGrants): Batch {
  const inUse = Array.from(
    { length: usedAtOnce },
    (_, at) => tasks[Math.floor((at * tasks.length) / usedAtOnce)],
  );
  return async (operations) => {
    for (let at = 0; at < operations; at += 1)
      await inUse[at % usedAtOnce]?.getAccessToken(requirement);
  };
}

async function measureLatency(): Promise<Figure[]> {
  const times = await race(batches, length);
  const [first, ...more] = sizes.map(nameOf);
  const fewest = first === undefined ? undefined : times[first];
  if (first === undefined || fewest === undefined) return [];
  return [
    { name: first, value: fewest.medianNs, unit: 'ns' },
    ...more.flatMap((name) => {
      const timing = times[name];
      if (timing === undefined) return [];
      const compared = { ...ratio(timing, fewest), to: first };
      return [ratioAtMost(1.5, { name, value: timing.medianNs, unit: 'ns', compared })];
    }),
  ];
}

function nameOf(size: number): string {
  return `${size.toLocaleString('en')} grants`;
}

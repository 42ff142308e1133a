// The whole matrix: every point, profile, journal and end, on every store. `--write-docs` writes the table into the docs.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startStore, storeKinds } from '../multi-process/store-place.ts';
import { type Crash, isWorse, runCrash } from './crash.ts';
import { crashPoints } from './crash-points.ts';
import { type CrashRun, crashTable } from './crash-table.ts';

const page = new URL('../../docs/failure-modes.md', import.meta.url);
/** So many crashes at a time: each waits for most of its life. */
const parallel = 4;

const { values: options } = parseArgs({
  options: {
    store: { type: 'string', default: storeKinds.join(',') },
    'write-docs': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const runs: CrashRun[] = [];
for (const name of options.store.split(',')) {
  const store = storeKinds.find((kind) => kind === name);
  if (store === undefined)
    throw new TypeError(`--store: expected some of ${storeKinds.join(', ')}; got ${name}`);
  await using server = await startStore(store);
  const crashes = allCrashes();
  const worker = async (): Promise<void> => {
    for (let crash = crashes.shift(); crash !== undefined; crash = crashes.shift()) {
      const cells = await runCrash(server, crash);
      runs.push(...cells.map((cell) => ({ ...cell, store })));
      const worse = cells.filter(isWorse).length;
      const { point, end, journal } = crash;
      console.error(`${store}: ${end} at ${point.name}, journal ${journal}: ${worse} worse`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

if (options['write-docs']) writePage(crashTable(runs));
console.log(options.json ? JSON.stringify(runs.map(plain)) : crashTable(runs));
if (runs.some(isWorse)) process.exitCode = 1;

function allCrashes(): Crash[] {
  return crashPoints.flatMap((point) =>
    (['kill', 'stop'] as const).flatMap((end) =>
      (['off', 'sameHost', 'otherHost'] as const).map((journal) => ({ point, end, journal })),
    ),
  );
}

/** One cell as a line of figures. */
function plain({ point, profile, ...cell }: CrashRun): object {
  return { ...cell, point: point.name, profile: profile.name };
}

/** Figures in the documentation come from a run, between two marks, and are never typed. */
function writePage(table: string): void {
  const [begin, end] = ['<!-- crash-matrix: begin -->', '<!-- crash-matrix: end -->'];
  const text = readFileSync(page, 'utf8');
  const [before, rest, ...more] = text.split(begin);
  const [, after, ...further] = rest?.split(end) ?? [];
  if (before === undefined || after === undefined || more.length + further.length > 0)
    throw new Error(`docs/failure-modes.md: expected ${begin} and then ${end}, each once`);
  writeFileSync(page, `${before}${begin}\n\n${table}\n\n${end}${after}`);
}

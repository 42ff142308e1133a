import { parseArgs, styleText } from 'node:util';
import { broken, figuresTable, naivePromises, promises } from './figures.ts';
import { tellNaiveStory } from './naive-story.ts';
import { tellOutliveStory } from './outlive-story.ts';
import { createTerminal } from './terminal.ts';
import { createWorkerPool } from './worker-pool.ts';
import { startWorld } from './world.ts';

const headline = {
  outlive:
    'A support agent works through 40 steps in two processes that share one SQLite store, with access tokens\n' +
    'that live 3 seconds and refresh tokens that work once, until the employee it works for is offboarded.',
  naive:
    'The same 40 steps, issuer, API and model without Outlive: two processes share a token.json, and refresh\n' +
    'when they see a 401.',
};
const usage = `usage: pnpm demo [--naive] [--json] [--keep]

  --naive  the same job with a shared token file and a refresh on 401
  --json   print the figures as one JSON object, in the last line
  --keep   keep the files of the run
`;

const flags = readFlags();
if (flags.help) process.stdout.write(usage);
else process.exitCode = (await run()) ? 0 : 1;

function readFlags() {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { naive: flag, json: flag, keep: flag, help: flag } }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}

/** Runs the demo. Answers whether every figure is what the README promises. */
async function run(): Promise<boolean> {
  const terminal = createTerminal();
  await using world = await startWorld({ keep: flags.keep });
  using workers = createWorkerPool((pid) => world.path(`output-${pid}.log`));
  const bold = (text: string): string => styleText('bold', text, { stream: process.stdout });

  terminal.print(`\n${bold(flags.naive ? headline.naive : headline.outlive)}\n`);
  const stage = { world, workers, terminal };
  const { figures, search } = await (flags.naive ? tellNaiveStory(stage) : tellOutliveStory(stage));

  const promised = flags.naive ? naivePromises : promises;
  terminal.print(figuresTable(figures, promised));
  const where = search.leaks.map(({ file, tokens }) => `${file} (${tokens})`).join(', ');
  terminal.print(
    `\n${search.filesSearched} files searched for tokens; found in: ${where || 'none'}.`,
  );
  const wrong = broken(figures, promised);
  if (wrong.length > 0) terminal.print(`Not as promised: ${wrong.join(', ')}.`);
  if (flags.keep) terminal.print(`The files are in ${world.folder}`);
  if (flags.json) terminal.print(JSON.stringify(figures));
  return wrong.length === 0;
}

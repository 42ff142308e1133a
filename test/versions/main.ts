// Runs the store contract, whole and through outages, on the oldest client libraries and on versions of the servers beside the
// installed ones. Arguments narrow them down: `pnpm versions valkey`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { environmentVariable } from '../servers/environment.ts';
import { serverVersions } from './server-versions.ts';

type StoreName = 'redis' | 'postgres';

const tests = ['store-contract', 'outages', 'broken-connection', 'tls'];

/** PgBouncer and polling are the same in front of every version. */
const direct = '^(?!.*(PgBouncer|looking itself))';

const trials: readonly { readonly name: string; readonly passes: () => Promise<boolean> }[] = [
  {
    name: 'the oldest clients',
    passes: () => pass(['redis', 'postgres'], ['--config', 'test/versions/vitest.config.ts']),
  },
  ...serverVersions.map(({ name, store, fetch }) => ({
    name,
    passes: () =>
      withFolder(async (folder) => pass([store], ['--project', 'all'], await fetch(folder))),
  })),
];

/** Whether the tests of the stores pass. `programs` is a folder whose servers come before the installed ones. */
async function pass(
  stores: readonly StoreName[],
  options: readonly string[],
  programs?: string,
): Promise<boolean> {
  const files = stores.flatMap((store) =>
    tests.map((test) => join('packages', store, 'test', `${test}.test.ts`)),
  );
  const path = [programs, environmentVariable('PATH')].filter((part) => part !== undefined);
  const vitest = spawn('vitest', ['run', ...options, '--testNamePattern', direct, ...files], {
    stdio: 'inherit',
    env: { PATH: path.join(delimiter), CI: 'true' },
  });
  const [code] = await once(vitest, 'exit');
  return code === 0;
}

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'outlive-versions-'));
  try {
    // Postgres runs as a user of its own.
    await chmod(folder, 0o755);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const words = process.argv.slice(2).map((word) => word.toLowerCase());
const chosen = trials.filter(({ name }) =>
  words.every((word) => name.toLowerCase().includes(word)),
);
const failed: string[] = [];
for (const { name, passes } of chosen) {
  console.log(`== ${name}`);
  if (!(await passes())) failed.push(name);
}
console.log(`${chosen.length - failed.length} passed, ${failed.length} failed`);
if (failed.length > 0 || chosen.length === 0) {
  console.error(chosen.length === 0 ? 'nothing has such a name' : `failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

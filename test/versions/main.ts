// Runs the store contract, whole and through outages, on versions of the servers beside the installed ones. Arguments narrow
// them down: `pnpm versions Valkey`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { environmentVariable } from '../servers/environment.ts';
import { type ServerVersion, serverVersions } from './server-versions.ts';

const wanted = process.argv.slice(2).map((word) => word.toLowerCase());
const chosen = serverVersions.filter(({ name }) =>
  wanted.every((word) => name.toLowerCase().includes(word)),
);

/** Whether the tests of the store pass on this version. */
async function passes({ store, fetch }: ServerVersion): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'outlive-versions-'));
  try {
    // Postgres runs as a user of its own.
    await chmod(folder, 0o755);
    const programs = await fetch(folder);
    const tests = ['store-contract', 'outages', 'broken-connection', 'tls'];
    const files = tests.map((test) => `packages/${store}/test/${test}.test.ts`);
    const vitest = spawn('vitest', ['run', '--project', 'all', ...files], {
      stdio: 'inherit',
      env: { PATH: [programs, environmentVariable('PATH')].join(delimiter), CI: 'true' },
    });
    const [code] = await once(vitest, 'exit');
    return code === 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const failed: string[] = [];
for (const version of chosen) {
  console.log(`== ${version.name}`);
  if (!(await passes(version))) failed.push(version.name);
}
console.log(`${chosen.length - failed.length} of ${chosen.length} versions pass`);
if (failed.length > 0 || chosen.length === 0) {
  console.error(chosen.length === 0 ? 'no such version' : `failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

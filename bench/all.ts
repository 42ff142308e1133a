// Runs every benchmark, each in a process of its own, with the options of this command.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { outputOptions } from './publish.ts';

const benchmarks = ['hot', 'ai-sdk', 'langchain', 'race', 'wake', 'revoke', 'scale', 'throughput'];

const { json } = outputOptions();
const reports: unknown[] = [];
for (const name of benchmarks) {
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [script, ...process.argv.slice(2)], {
    encoding: 'utf8',
    stdio: ['ignore', json ? 'pipe' : 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`the benchmark ${name} ended with status ${status}`);
  if (json) reports.push(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
}
if (json) console.log(JSON.stringify({ benchmarks: reports }));

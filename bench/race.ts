// The race: many callers need a new token at the same instant. Whose sessions live on?
import { readFileSync } from 'node:fs';
import { lifetimeMs, startArena } from './race/arena.ts';
import { packageVersion } from './race/package-version.ts';
import { type Plan, readPlan } from './race/plan.ts';
import { startProcesses } from './race/processes.ts';
import { publishRace } from './race/publish-race.ts';
import type { RaceReport, Result } from './race/result.ts';
import { cycles, runSetting } from './race/run.ts';
import { describeMachine } from './report.ts';

const plan = readPlan();
const report: RaceReport =
  plan.from === undefined ? await runRace(plan) : JSON.parse(readFileSync(plan.from, 'utf8'));
publishRace(report, plan);

async function runRace({ contestants, settings }: Plan): Promise<RaceReport> {
  const machine = describeMachine();
  await using arena = await startArena(contestants);
  await using stack = new AsyncDisposableStack();
  const processes = await startProcesses(Math.max(...settings.map((one) => one.processes)));
  for (const process of processes) stack.use(process);
  const results: Result[] = [];
  for (const setting of settings) {
    const startedAt = performance.now();
    results.push(...(await runSetting(arena, processes, contestants, setting)));
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    console.error(
      `${setting.processes} × ${setting.calls} calls, issuer ${setting.latencyMs} ms: ${seconds} s`,
    );
  }
  return {
    benchmark: 'race',
    day: new Date().toISOString().slice(0, 10),
    machine,
    lifetimeMs,
    cycles,
    contestants: contestants.map(({ id, title, claims, setup, package: name }) => ({
      id,
      title,
      claims,
      setup,
      version: packageVersion(name),
    })),
    results,
  };
}

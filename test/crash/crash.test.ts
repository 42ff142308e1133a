import { afterAll, describe, expect, it } from 'vitest';
import { startStore } from '../multi-process/store-place.ts';
import { type Crash, type CrashCell, isWorse, runCrash } from './crash.ts';
import { crashPoints } from './crash-points.ts';

/** The rest is what `pnpm crash-matrix` is for. */
const server = await startStore('sqlite');
afterAll(() => server[Symbol.asyncDispose]());

describe.concurrent('a process that is killed in the middle of a refresh', () => {
  for (const point of crashPoints)
    it(`leaves no grant worse off than it must: ${point.name}, ${point.title}`, async () => {
      expectNoneWorse(await runCrash(server, { point, end: 'kill', journal: 'off' }));
    }, 120_000);

  for (const journal of ['sameHost', 'otherHost'] as const)
    it(`leaves a pair in its journal: k3, recovered on ${journal}`, async () => {
      const [point] = crashPoints.filter(({ name }) => name === 'k3');
      if (point === undefined) throw new Error('there is no point k3');
      const crash: Crash = { point, end: 'kill', journal };
      const cells = await runCrash(server, crash);
      expectNoneWorse(cells);
      if (journal === 'sameHost')
        for (const { presentations } of cells) expect(presentations[0]).toBe(1);
    }, 120_000);
});

function expectNoneWorse(cells: readonly CrashCell[]): void {
  expect(cells.filter(isWorse)).toEqual([]);
  for (const { received, outcome, profile, presentations } of cells) {
    // Whoever comes next is told at once how it ended.
    expect(received.status).toBe(outcome === 'ok' ? 'served' : 'refused');
    if (profile.issuer !== 'strict') continue;
    for (const times of presentations) expect(times).toBeLessThanOrEqual(2);
    if (profile.profile.whenInDoubt === 'reauthorize' && profile.profile.probe !== true)
      for (const times of presentations) expect(times).toBeLessThanOrEqual(1);
  }
}

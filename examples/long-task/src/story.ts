import { writeFile } from 'node:fs/promises';
import { type Search, searchForTokens } from './artifacts.ts';
import type { Figures, Outcome } from './figures.ts';
import { job, type Queue } from './job.ts';
import { successClaim } from './model.ts';
import type { Progress, Terminal } from './terminal.ts';
import type { Worker, WorkerEnd, WorkerPool } from './worker-pool.ts';
import type { World } from './world.ts';

/** What both runs of the job have. */
export interface Stage {
  readonly world: World;
  readonly workers: WorkerPool;
  readonly terminal: Terminal;
}

/** The worker of a queue. */
export interface TeamMember {
  readonly queue: Queue;
  readonly worker: Worker;
}

/** Resolves when the processes of a team have ended. */
export async function allGone(team: readonly TeamMember[]): Promise<void> {
  await Promise.all(team.map(({ worker }) => worker.gone));
}

/** What the live display shows of a stage. */
export function progressOf({ world }: Stage, team: readonly TeamMember[]): Progress {
  return {
    stepsDone: world.api.stepsDone,
    queues: team.map(({ queue, worker }) => ({ queue, pid: worker.pid })),
    tokenAgeMs: world.tokenAgeMs,
    isAlive: () => world.issuer.grant(world.grantId).alive,
    generation: () => world.issuer.grant(world.grantId).generations,
    refreshes: () => world.issuer.counters.refreshRequests,
  };
}

/** Compares what the models say with what was done; `isSettled`: whatever else must be true of a completed job. */
export function outcomeOf(
  { world }: Stage,
  ends: readonly WorkerEnd[],
  isSettled: boolean,
): Outcome {
  const claimed = ends.every(({ queue, said }) => said === successClaim(queue));
  if (!claimed) return 'incomplete';
  if (world.api.stepsDone() < job.length) return 'false success';
  return isSettled ? 'completed' : 'incomplete';
}

/** Searches what the run leaves, the printed text included, and puts the figures together. */
export async function countFigures(
  { world, workers, terminal }: Stage,
  run: {
    readonly startedAt: number;
    readonly outcome: Outcome;
    readonly modelCallsWhilePaused: number;
  },
): Promise<{ readonly figures: Figures; readonly search: Search }> {
  const { issuer, api, grantId, folder } = world;
  await writeFile(world.path('terminal.txt'), terminal.transcript);
  const tokens = issuer.issuedTokens().map(({ value }) => value);
  const search = await searchForTokens(folder, [...tokens, issuer.adminToken]);
  const figures: Figures = {
    steps: job.length,
    stepsDone: api.stepsDone(),
    processes: new Set(workers.modelCalls.map(({ pid }) => pid)).size,
    generations: issuer.grant(grantId).generations,
    refreshRequests: issuer.counters.refreshRequests,
    reuseDetected: issuer.counters.reuseDetected,
    grantsKilled: issuer.counters.grantsKilled,
    modelCallsWhilePaused: run.modelCallsWhilePaused,
    duplicateSideEffects: api.duplicateSideEffects(),
    outcome: run.outcome,
    tokensFoundInArtifacts: search.leaks.reduce((sum, leak) => sum + leak.tokens, 0),
    ms: Date.now() - run.startedAt,
  };
  return { figures, search };
}

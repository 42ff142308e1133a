import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pause, Task } from '@outlive/core';
import { queues } from './job.ts';
import type { RuntimeSettings } from './messages.ts';
import { admin, employee, openRuntime } from './runtime.ts';
import {
  allGone,
  countFigures,
  outcomeOf,
  progressOf,
  type Stage,
  type TeamMember,
} from './story.ts';
import { condensed } from './timeline.ts';
import { requirements } from './tools.ts';
import type { WorkerEnd } from './worker-pool.ts';
import { accessTokenLifetimeMs, clientSecret, type World } from './world.ts';

const offboardAfterSteps = 24;
/** Longer than any access token lives: whoever goes on afterwards needs new authority. */
const pauseMs = accessTokenLifetimeMs + 200;

type Runtime = ReturnType<typeof openRuntime>;

/** The job with Outlive: offboarded in the middle, paused, confirmed, resumed elsewhere, completed. */
export async function tellOutliveStory(stage: Stage): ReturnType<typeof countFigures> {
  const startedAt = Date.now();
  const settings = runtimeSettings(stage.world);
  await using runtime = openRuntime(settings);
  const team = fork(stage);
  const task = await startTask(stage, runtime);
  const job = { settings, taskId: task.id };

  const { pause, pausedAt } = await workUntilPaused(stage, { runtime, team, job });
  const otherTeam = fork(stage);
  await waitPaused(stage, pausedAt);
  const confirmedAt = await confirm(stage, runtime, pause);
  const ends = await resumeWork(stage, otherTeam, job);
  const isRevoked = await complete(stage, task);
  await allGone(otherTeam);

  const { text, entries } = await runtime.outlive.explain(task.id);
  stage.terminal.print(`\n${condensed(text)}`);
  const pauses = entries.filter(({ type }) => type === 'task-paused').length;
  return await countFigures(stage, {
    startedAt,
    outcome: outcomeOf(stage, ends, isRevoked && pauses === 1),
    modelCallsWhilePaused: modelCalls(stage, pausedAt, confirmedAt),
  });
}

async function startTask({ world, terminal }: Stage, { outlive }: Runtime): Promise<Task> {
  const principal = { subject: employee };
  await outlive.grants.import({ provider: 'company', principal, tokens: world.tokens });
  const task = await outlive.startTask({
    principal,
    agent: 'support-agent',
    requirements,
    expectedDurationMs: 60_000,
  });
  terminal.beat(`STARTED     one task for ${employee}, two worker processes`);
  return task;
}

interface Job {
  readonly settings: RuntimeSettings;
  readonly taskId: string;
}

interface Paused {
  readonly pause: Pause;
  /** When another process than the one that paused could see it, epoch ms. */
  readonly pausedAt: number;
}

function fork({ workers }: Stage): TeamMember[] {
  return queues.map((queue) => ({ queue, worker: workers.fork('worker.ts') }));
}

/** Sets both workers to work. Resolves when their agent loops have ended. */
function work(
  { world }: Stage,
  team: readonly TeamMember[],
  { settings, taskId, resume }: Job & { readonly resume: boolean },
): Promise<WorkerEnd[]> {
  const runs = team.map(({ queue, worker }) => {
    const name = `${queue}-${resume ? 'resumed' : 'first'}`;
    return worker.work({
      queue,
      taskId,
      resume,
      runtime: { ...settings, auditPath: world.path(`audit-${name}.jsonl`) },
      pausedRunPath: world.path(`paused-${queue}.json`),
      promptsPath: world.path(`prompts-${name}.json`),
    });
  });
  return Promise.all(runs);
}

/** The first act. Answers when both workers have stopped and are gone. */
async function workUntilPaused(
  stage: Stage,
  act: { readonly runtime: Runtime; readonly team: readonly TeamMember[]; readonly job: Job },
): Promise<Paused> {
  const { terminal } = stage;
  const { runtime, team, job } = act;
  using _display = terminal.follow(progressOf(stage, team));
  let isOver = false;
  const ended = work(stage, team, { ...job, resume: false }).finally(() => {
    isOver = true;
  });
  const [paused, ends] = await Promise.all([offboard(stage, runtime, () => isOver), ended]);
  await allGone(team);
  const statuses = ends.map(({ queue, status }) => `${queue}: ${status}`).join(', ');
  if (paused === undefined) throw new Error(`no pause is in the store, and yet (${statuses})`);
  terminal.beat(`            both agent loops have stopped (${statuses}), both processes are gone`);
  return paused;
}

/** Disables the employee in the middle of the work, and waits until the store knows of the pause. */
async function offboard(
  { world, terminal }: Stage,
  { outlive }: Runtime,
  isOver: () => boolean,
): Promise<Paused | undefined> {
  // While both processes hold a token that is good for another while: it must not help them.
  const isMoment = (): boolean =>
    world.api.stepsDone() >= offboardAfterSteps && world.tokenAgeMs() < 1200;
  while (!isMoment() && !isOver()) await delay(20);
  await world.setEmployeeActive(false);
  terminal.beat(`OFFBOARDED  the directory disables ${employee}`);
  for (;;) {
    const last = isOver();
    for await (const pause of outlive.waitingPauses()) {
      const { code, reason = '' } = pause.reason;
      terminal.beat(`PAUSED      ${code} (${reason}); waits for: ${pause.requires.join(', ')}`);
      return { pause, pausedAt: Date.now() };
    }
    if (last) return undefined;
    await delay(10);
  }
}

async function waitPaused(stage: Stage, pausedAt: number): Promise<void> {
  await delay(pausedAt + pauseMs - Date.now());
  const calls = modelCalls(stage, pausedAt, Date.now());
  stage.terminal.beat(
    `            every token has expired; calls of the model since the pause: ${calls}`,
  );
}

/** The second act, in other processes. */
async function resumeWork(
  stage: Stage,
  team: readonly TeamMember[],
  job: Job,
): Promise<readonly WorkerEnd[]> {
  stage.terminal.beat('RESUMED     in two new processes, each from a JSON file');
  using _display = stage.terminal.follow(progressOf(stage, team));
  return await work(stage, team, { ...job, resume: true });
}

/** Answers when the task was allowed to go on, epoch ms. */
async function confirm(
  { world, terminal }: Stage,
  runtime: Runtime,
  pause: Pause,
): Promise<number> {
  await world.setEmployeeActive(true);
  terminal.beat(`REINSTATED  the directory enables ${employee}`);
  const confirmedAt = Date.now();
  const result = await runtime.outlive.decide(pause.id, { decision: 'resume', by: admin });
  if (result.status !== 'decided') throw new Error(`the decision of ${admin} is ${result.status}`);
  terminal.beat(`CONFIRMED   by ${admin}, an admin`);
  return confirmedAt;
}

/** Ends the task. Answers whether the issuer refuses its newest token now. */
async function complete({ world, terminal }: Stage, task: Task): Promise<boolean> {
  const { issuer } = world;
  const newest = issuer.issuedTokens().findLast(({ type }) => type === 'access_token');
  const isAccepted = async (): Promise<boolean> =>
    (await issuer.accessToken(newest?.value ?? '')) !== undefined;
  const before = await isAccepted();
  const { status } = await task.complete();
  const after = await isAccepted();
  terminal.beat(`COMPLETED   the task is ${status} and its delegation revoked`);
  const was = before ? 'the issuer accepted it' : 'it had expired';
  const is = after ? 'accepts it still' : 'refuses it';
  terminal.beat(`            its newest token: ${was} before; now the issuer ${is}`);
  return !after;
}

function modelCalls({ workers }: Stage, from: number, to: number): number {
  return workers.modelCalls.filter(({ at }) => at > from && at < to).length;
}

/** Keys are made for this run and live in memory: they reach the workers over IPC. */
function runtimeSettings({ issuer, api, path }: World): RuntimeSettings {
  return {
    storePath: path('outlive.db'),
    auditPath: path('audit-coordinator.jsonl'),
    keys: { current: 'demo', ring: { demo: randomBytes(32) }, hash: randomBytes(32) },
    issuerUrl: issuer.url,
    clientSecret,
    apiUrl: api.url,
  };
}

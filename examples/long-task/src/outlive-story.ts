import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pause, Task } from '@outlive/core';
import { queues } from './job.ts';
import type { RuntimeSettings } from './messages.ts';
import { admin, employee, openRuntime } from './runtime.ts';
import { countFigures, outcomeOf, progressOf, type Stage } from './story.ts';
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
  const task = await startTask(stage, runtime);

  let phase = 'working';
  const runWorkers = (resume: boolean): Promise<WorkerEnd[]> =>
    Promise.all(queues.map((queue) => runWorker(stage, { queue, settings, task, resume })));

  const told = { pausedAt: 0, confirmedAt: 0 };
  let ends: readonly WorkerEnd[];
  {
    using _display = stage.terminal.follow(
      progressOf(stage, (queue) => `pid ${stage.workers.pids.get(queue) ?? '–'}  ${phase}`),
    );
    const firstWorkers = runWorkers(false);
    const pause = await Promise.race([
      offboard(stage, runtime),
      firstWorkers.then(() => {
        throw new Error('the workers ended before anybody was offboarded');
      }),
    ]);
    told.pausedAt = Date.now();
    phase = 'paused';
    await waitPaused(stage, { pause, pausedAt: told.pausedAt, firstWorkers });
    told.confirmedAt = await confirm(stage, runtime, pause);
    phase = 'working';
    stage.terminal.beat('RESUMED     in two new processes, each from a JSON file');
    ends = await runWorkers(true);
    phase = 'done';
  }
  const isRevoked = await complete(stage, task);

  const { text, entries } = await runtime.outlive.explain(task.id);
  stage.terminal.print(`\n${condensed(text)}`);
  const pauses = entries.filter(({ type }) => type === 'task-paused').length;
  return countFigures(stage, {
    startedAt,
    outcome: outcomeOf(stage, ends, isRevoked && pauses === 1),
    modelCallsWhilePaused: modelCalls(stage, told.pausedAt, told.confirmedAt),
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

async function runWorker(
  { world, workers }: Stage,
  run: {
    readonly queue: (typeof queues)[number];
    readonly settings: RuntimeSettings;
    readonly task: Task;
    readonly resume: boolean;
  },
): Promise<WorkerEnd> {
  const { queue, settings, task, resume } = run;
  const name = `${queue}-${resume ? 'resumed' : 'first'}`;
  return workers.run('worker.ts', {
    queue,
    taskId: task.id,
    resume,
    runtime: { ...settings, auditPath: world.path(`audit-${name}.jsonl`) },
    pausedRunPath: world.path(`paused-${queue}.json`),
    promptsPath: world.path(`prompts-${name}.json`),
  });
}

/** Disables the employee in the middle of the work, and waits until the store knows of the pause. */
async function offboard({ world, terminal }: Stage, { outlive }: Runtime): Promise<Pause> {
  // With a token that is still good for a while, in both processes: it must not help.
  while (world.api.stepsDone() < offboardAfterSteps || world.tokenAgeMs() > 1200) await delay(20);
  await world.setEmployeeActive(false);
  terminal.beat(`OFFBOARDED  the directory disables ${employee}`);
  for (;;) {
    for await (const pause of outlive.waitingPauses()) return pause;
    await delay(10);
  }
}

async function waitPaused(
  stage: Stage,
  at: {
    readonly pause: Pause;
    readonly pausedAt: number;
    readonly firstWorkers: Promise<readonly WorkerEnd[]>;
  },
): Promise<void> {
  const { terminal } = stage;
  const { code, reason = '' } = at.pause.reason;
  terminal.beat(`PAUSED      ${code} (${reason}); waits for: ${at.pause.requires.join(', ')}`);
  const stopped = await at.firstWorkers;
  const statuses = stopped.map(({ queue, status }) => `${queue}: ${status}`).join(', ');
  terminal.beat(`            both agent loops have stopped (${statuses}), both processes are gone`);
  await delay(at.pausedAt + pauseMs - Date.now());
  const calls = modelCalls(stage, at.pausedAt, Date.now());
  terminal.beat(
    `            by now every token has expired; calls of the model meanwhile: ${calls}`,
  );
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

/** Ends the task. Answers whether the issuer accepted its newest token before that, and does not any more. */
async function complete({ world, terminal }: Stage, task: Task): Promise<boolean> {
  const { issuer } = world;
  const newest = issuer.issuedTokens().findLast(({ type }) => type === 'access_token');
  const accepted = async (): Promise<boolean> =>
    (await issuer.accessToken(newest?.value ?? '')) !== undefined;
  const before = await accepted();
  const { status } = await task.complete();
  const after = await accepted();
  terminal.beat(`COMPLETED   the task is ${status} and its delegation revoked`);
  const [first, second] = [before, after].map((is) => (is ? 'accepts it' : 'refuses it'));
  terminal.beat(`            its newest token: before, the issuer ${first}; now, it ${second}`);
  return before && !after;
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

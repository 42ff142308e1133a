import { writeFile } from 'node:fs/promises';
import { queues } from './job.ts';
import { allGone, countFigures, outcomeOf, progressOf, type Stage } from './story.ts';
import type { WorkerEnd } from './worker-pool.ts';
import { clientSecret } from './world.ts';

/** The same job the way most code does it today: a token file, and a refresh on every 401. */
export async function tellNaiveStory(stage: Stage): ReturnType<typeof countFigures> {
  const { world, terminal } = stage;
  const startedAt = Date.now();
  const tokenPath = world.path('token.json');
  await writeFile(tokenPath, JSON.stringify(world.tokens));
  terminal.beat('STARTED     two worker processes, one token.json');

  const ends = await work(stage, tokenPath);
  for (const { queue, said = '' } of ends) terminal.beat(`THE MODEL   (${queue}) says: “${said}”`);
  terminal.beat(`THE TRUTH   ${world.api.stepsDone()} steps were done`);
  terminal.print(
    '\nThere is no audit log to read. What the issuer remembers of the refresh tokens:\n',
  );
  for (const { ordinal, times } of world.issuer.presentations(world.grantId))
    terminal.print(`  token ${ordinal}  presented ${times} ${times === 1 ? 'time' : 'times'}`);
  terminal.print();
  return countFigures(stage, {
    startedAt,
    outcome: outcomeOf(stage, ends, true),
    modelCallsWhilePaused: 0,
  });
}

async function work(stage: Stage, tokenPath: string): Promise<readonly WorkerEnd[]> {
  const { world, workers, terminal } = stage;
  const { issuer, api, grantId } = world;
  const team = queues.map((queue) => ({ queue, worker: workers.fork('naive-worker.ts') }));
  using _display = terminal.follow(progressOf(stage, team));
  let isTold = false;
  const watch = setInterval(() => {
    if (isTold || issuer.grant(grantId).alive) return;
    isTold = true;
    const steps = api.stepsDone();
    terminal.beat(
      'DEAD        a used refresh token came again: the issuer revokes the whole grant',
    );
    terminal.beat(`            ${steps} steps were done; from here on every call of a tool fails`);
  }, 20);
  try {
    const runs = team.map(({ queue, worker }) =>
      worker.work({
        queue,
        tokenPath,
        issuerUrl: issuer.url,
        clientSecret,
        apiUrl: api.url,
        promptsPath: world.path(`prompts-${queue}.json`),
      }),
    );
    const ends = await Promise.all(runs);
    await allGone(team);
    return ends;
  } finally {
    clearInterval(watch);
  }
}

import { setTimeout as wait } from 'node:timers/promises';
import type { StorePlace } from '../multi-process/shared-store.ts';
import { type StoreServer, startStore } from '../multi-process/store-place.ts';
import { auditRun, endTasks, type RunAudit } from './audit-run.ts';
import { type ChaosIssuer, type ChaosWorld, chaosTimes, createChaosWorld } from './chaos-world.ts';
import { explainLoss, type Loss } from './loss.ts';
import { seededRandom } from './seeded-random.ts';
import { startWorkers, type Workers } from './workers.ts';

/** What kind of weather, and for how long. */
export interface ChaosOptions {
  readonly store: StorePlace['kind'];
  readonly issuer: ChaosIssuer;
  readonly seconds: number;
  readonly seed: number;
  /** Default 4. */
  readonly workers?: number;
  /** Default 30. */
  readonly grants?: number;
}

/** What came of it. */
export interface ChaosResult extends Required<ChaosOptions> {
  readonly kills: number;
  readonly stalls: number;
  readonly restarts: number;
  /** People whom the directory stopped meanwhile. */
  readonly offboarded: number;
  readonly workersStarted: number;
  readonly served: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly expiredHandedOut: number;
  readonly refreshRequests: number;
  readonly generations: number;
  readonly reuseDetected: number;
  /** Presentations of a token that had come to the issuer before. */
  readonly secondPresentations: number;
  /** Those of them that no record had announced. */
  readonly unrecordedPresentations: number;
  readonly lost: number;
  /** Those of them whose person was not offboarded. */
  readonly lostOfThoseWhoStayed: number;
  readonly losses: readonly Loss[];
  /** What the audit log says of all that, to somebody who knows nothing else. */
  readonly audit: RunAudit;
  /** What must not happen, and did. Empty is what is wanted. */
  readonly problems: readonly string[];
}

/** So many may start, or stand still, at a time. */
const spares = 3;
const stallMs = chaosTimes.requestTimeoutMs + chaosTimes.settleMs + 1000;

/**
 * Lets workers refresh 30 grants, and call tools with them, while they are killed and stopped, their store is restarted
 * and people are offboarded; then counts, and has the audit log read.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const complete = { workers: 4, grants: 30, ...options };
  await using server = await startStore(options.store);
  await using world = await createChaosWorld(server, complete);
  const random = seededRandom(options.seed);
  const workers = await startWorkers(complete.workers, spares, world.setup, random);
  const weather = await storm(workers, server, world, { seconds: options.seconds, random });
  await workers.end();
  for (const { subject } of world.grants) world.issuer.user(subject).active = true;
  await endTasks(world);
  const alive = await Promise.all(world.grants.map((grant) => grant.isAlive()));
  // First: what the runtimes still have to say is in the log when it is done.
  const audit = await auditRun(world, server.folder);
  const losses = await Promise.all(
    world.grants
      .filter((_, index) => alive[index] === false)
      .map(async ({ key, name, issuerGrantId }) =>
        explainLoss(
          issuerGrantId,
          await world.entries(`grant:${name}`),
          workers.writes.get(key) ?? [],
          workers,
        ),
      ),
  );
  const { served, refused, expired } = workers.figures;
  const { refreshRequests, refreshes, reuseDetected } = world.issuer.counters;
  const figures = {
    ...complete,
    ...weather,
    workersStarted: workers.started,
    served,
    refused,
    expiredHandedOut: expired,
    refreshRequests,
    generations: refreshes,
    reuseDetected,
    ...presentations(world, workers, weather.offboarded),
    lost: losses.length,
    lostOfThoseWhoStayed: alive.slice(weather.offboarded).filter((isAlive) => !isAlive).length,
    losses,
    audit,
  };
  return { ...figures, problems: problemsOf(figures) };
}

/** Everything that happens to the workers. */
async function storm(
  workers: Workers,
  server: StoreServer,
  { issuer, grants }: ChaosWorld,
  { seconds, random }: { readonly seconds: number; readonly random: () => number },
): Promise<Pick<ChaosResult, 'kills' | 'stalls' | 'restarts' | 'offboarded'>> {
  const counts = { kills: 0, stalls: 0, restarts: 0, offboarded: 0 };
  const endAt = Date.now() + seconds * 1000;
  const between = (least: number, most: number): number => least + random() * (most - least);
  const often = async (everyMs: () => number, happen: () => Promise<void>): Promise<void> => {
    for (;;) {
      await wait(Math.min(everyMs(), Math.max(0, endAt - Date.now())));
      if (Date.now() >= endAt) return;
      await happen();
    }
  };
  /** Waits until there is one to spare: starting takes long on a busy machine. */
  const toOne = async (happen: () => boolean): Promise<boolean> => {
    while (Date.now() < endAt) {
      if (happen()) return true;
      await wait(50);
    }
    return false;
  };
  await Promise.all([
    often(
      () => between(300, 500),
      async () => {
        if (await toOne(workers.kill)) counts.kills += 1;
      },
    ),
    often(
      () => between(1500, 4000),
      async () => {
        if (await toOne(() => workers.stall(stallMs))) counts.stalls += 1;
      },
    ),
    often(
      () => between(4000, 8000),
      async () => {
        if (server.restart === undefined) return;
        // A clean end and a crash in turn.
        await server.restart(counts.restarts % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
        counts.restarts += 1;
      },
    ),
    often(
      () => between(2000, 4000),
      async () => {
        // Most of them stay: their grants are what this is about.
        if (counts.offboarded >= grants.length / 5) return;
        issuer.user(grants[counts.offboarded]?.subject ?? '').active = false;
        counts.offboarded += 1;
      },
    ),
  ]);
  return counts;
}

function presentations(
  { issuer, grants, writes: own }: ChaosWorld,
  workers: Workers,
  offboarded: number,
): Pick<ChaosResult, 'secondPresentations' | 'unrecordedPresentations'> {
  let secondPresentations = 0;
  let unrecordedPresentations = 0;
  // The issuer refuses the token of somebody who is stopped, and does not use it: it comes again when they are back.
  for (const { key, issuerGrantId } of grants.slice(offboarded)) {
    const writes = [...(workers.writes.get(key) ?? []), ...own.filter((each) => each.key === key)];
    // Recovery writes twice: that it takes over, and that it is going to present once more.
    const recorded = writes.filter(({ status }) => status === 'recovering').length / 2;
    const again = issuer
      .presentations(issuerGrantId)
      .reduce((sum, { times }) => sum + Math.max(0, times - 1), 0);
    secondPresentations += again;
    unrecordedPresentations += Math.max(0, again - Math.floor(recorded));
  }
  return { secondPresentations, unrecordedPresentations };
}

function problemsOf(figures: Omit<ChaosResult, 'problems'>): string[] {
  const { issuer, losses, expiredHandedOut, unrecordedPresentations, served, audit } = figures;
  // What is in doubt when somebody is stopped stays so until they are back: a leeway may be over by then.
  const lost = figures.lostOfThoseWhoStayed;
  return [
    served === 0 && 'nobody was served',
    expiredHandedOut > 0 && `${expiredHandedOut} tokens had expired when they were handed out`,
    unrecordedPresentations > 0 &&
      `${unrecordedPresentations} presentations of a used token that no record had announced`,
    issuer === 'leeway' && lost > 0 && `${lost} grants lost at an issuer with leeway`,
    ...audit.contradictions,
    ...losses.map(
      ({ grant, died, inFlight, responseLost, toldByAudit }) =>
        (!toldByAudit && `${grant} is lost, and the audit log does not tell why`) ||
        (!inFlight && !responseLost && `${grant} is lost (${died}) although nobody died over it`),
    ),
  ].filter((problem) => problem !== false);
}

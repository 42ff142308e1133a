import { setTimeout as wait } from 'node:timers/promises';
import type { StorePlace } from '../multi-process/shared-store.ts';
import { type StoreServer, startStore } from '../multi-process/store-place.ts';
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
  readonly losses: readonly Loss[];
  /** What must not happen, and did. Empty is what is wanted. */
  readonly problems: readonly string[];
}

/** So many may start, or stand still, at a time. */
const spares = 3;
const stallMs = chaosTimes.requestTimeoutMs + chaosTimes.settleMs + 1000;

/** Lets workers refresh 30 grants while they are killed and stopped and their store is restarted; then counts. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const complete = { workers: 4, grants: 30, ...options };
  await using server = await startStore(options.store);
  await using world = await createChaosWorld(server, complete);
  const random = seededRandom(options.seed);
  const workers = await startWorkers(complete.workers, spares, world.setup, random);
  const weather = await storm(workers, server, { seconds: options.seconds, random });
  await workers.end();
  const alive = await Promise.all(world.grants.map((grant) => grant.isAlive()));
  const losses = await Promise.all(
    world.grants
      .filter((_, index) => alive[index] === false)
      .map(async ({ key, issuerGrantId, audit }) =>
        explainLoss(issuerGrantId, await audit(), workers.writes.get(key) ?? [], workers),
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
    ...presentations(world, workers),
    lost: losses.length,
    losses,
  };
  return { ...figures, problems: problemsOf(figures) };
}

/** Everything that happens to the workers. */
async function storm(
  workers: Workers,
  server: StoreServer,
  { seconds, random }: { readonly seconds: number; readonly random: () => number },
): Promise<Pick<ChaosResult, 'kills' | 'stalls' | 'restarts'>> {
  const counts = { kills: 0, stalls: 0, restarts: 0 };
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
  ]);
  return counts;
}

function presentations(
  { issuer, grants, writes: own }: ChaosWorld,
  workers: Workers,
): Pick<ChaosResult, 'secondPresentations' | 'unrecordedPresentations'> {
  let secondPresentations = 0;
  let unrecordedPresentations = 0;
  for (const { key, issuerGrantId } of grants) {
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
  const { issuer, lost, losses, expiredHandedOut, unrecordedPresentations, served } = figures;
  return [
    served === 0 && 'nobody was served',
    expiredHandedOut > 0 && `${expiredHandedOut} tokens had expired when they were handed out`,
    unrecordedPresentations > 0 &&
      `${unrecordedPresentations} presentations of a used token that no record had announced`,
    issuer === 'leeway' && lost > 0 && `${lost} grants lost at an issuer with leeway`,
    ...losses.map(
      ({ grant, died, inFlight, responseLost, toldByAudit }) =>
        (!toldByAudit && `${grant} is lost, and the audit log does not tell why`) ||
        (!inFlight && !responseLost && `${grant} is lost (${died}) although nobody died over it`),
    ),
  ].filter((problem) => problem !== false);
}

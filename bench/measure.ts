import { setImmediate } from 'node:timers/promises';

/** Runs `operations` operations, one after another or all at once: what is timed. */
export type Batch = (operations: number) => Promise<unknown>;

/** How long one operation took: a figure for each round, and their median. */
export interface Duration {
  readonly medianNs: number;
  /** One entry per round, in the order of the rounds. */
  readonly roundsNs: readonly number[];
}

/** By the clock on the wall, and how much of a core this process used meanwhile, all its threads counted. */
export interface Timing extends Duration {
  readonly cpu: Duration;
}

/** How many times as long as another contender one took. */
export interface Ratio {
  /** Ratio of the two medians. */
  readonly value: number;
  /** The middle half of the ratios within each round: how sure the value is. */
  readonly middleHalf: readonly [number, number];
}

/** How long a race is. */
export interface RaceLength {
  readonly rounds: number;
  /** In each batch. */
  readonly operations: number;
  /** Rounds before the first that counts. */
  readonly warmUpRounds: number;
  /** What has to be over before the next batch begins, so that nobody pays for what another one left behind. Not timed. */
  readonly between?: () => Promise<unknown>;
}

/**
 * Times contenders against each other in one process: every round gives each of them one batch, and another one
 * begins. What else the machine does then falls on all of them alike, and medians forget what fell on one.
 */
export async function race<Name extends string>(
  contenders: Readonly<Record<Name, Batch>>,
  { rounds, operations, warmUpRounds, between }: RaceLength,
): Promise<Record<Name, Timing>> {
  const names = Object.keys(contenders) as Name[];
  const times = {} as Record<Name, { readonly wallNs: number[]; readonly cpuNs: number[] }>;
  for (const name of names) times[name] = { wallNs: [], cpuNs: [] };
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    const first = (round + warmUpRounds) % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      // Timers and sockets get their turn here: the runtime listens for pauses while it is measured, as in an app.
      await setImmediate();
      await between?.();
      const usedBefore = process.cpuUsage();
      const startedAt = performance.now();
      await contenders[name](operations);
      const tookMs = performance.now() - startedAt;
      const { user, system } = process.cpuUsage(usedBefore);
      if (round < 0) continue;
      times[name].wallNs.push((tookMs * 1e6) / operations);
      times[name].cpuNs.push(((user + system) * 1e3) / operations);
    }
  }
  const timings = {} as Record<Name, Timing>;
  for (const name of names) {
    const { wallNs, cpuNs } = times[name];
    timings[name] = { ...duration(wallNs), cpu: duration(cpuNs) };
  }
  return timings;
}

function duration(roundsNs: readonly number[]): Duration {
  return { medianNs: median(roundsNs), roundsNs };
}

/** How many times as long as `other` `one` took, from the rounds of one race. */
export function ratio(one: Duration, other: Duration): Ratio {
  const within = one.roundsNs.map((ns, round) => ns / (other.roundsNs[round] ?? Number.NaN));
  return {
    value: one.medianNs / other.medianNs,
    middleHalf: [quantile(within, 0.25), quantile(within, 0.75)],
  };
}

/** The middle value. @throws {RangeError} when there are no values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * The smallest value that at least `share` (0 to 1) of the values do not exceed.
 *
 * @throws {RangeError} when there are no values.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('values: expected one or more; got none');
  return value;
}

/** The machine's monotonic clock, ms, which all its processes share. */
export function monotonicNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

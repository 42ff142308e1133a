import { median, quantile } from '../measure.ts';
import type { Machine } from '../report.ts';
import type { Entry } from './entries.ts';
import type { CycleResult } from './messages.ts';
import type { Setting } from './plan.ts';

/** What a race found. Tables and the chart are made of this alone. */
export interface RaceReport {
  readonly benchmark: 'race';
  /** Day of the run, YYYY-MM-DD. */
  readonly day: string;
  readonly machine: Machine;
  /** How long access tokens lived, ms. */
  readonly lifetimeMs: number;
  /** How often each session's access token expired while it was needed. */
  readonly cycles: number;
  readonly contestants: readonly ReportedContestant[];
  readonly results: readonly Result[];
}

/** A contestant, as far as a report tells of it. */
export interface ReportedContestant extends Pick<Entry, 'id' | 'title' | 'claims' | 'setup'> {
  readonly version: string;
}

/** How one contestant did in one setting. */
export interface Result extends Setting {
  /** Id of the contestant. */
  readonly contestant: string;
  /** How often each refresh token reached the issuer, of those that did: the mean. 1 is right. */
  readonly refreshesPerGeneration: number;
  /** Sessions that the issuer ended. */
  readonly killed: number;
  readonly callsMade: number;
  readonly callsFailed: number;
  /** Why, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** How often a person would have been sent to sign in. */
  readonly loginPrompts: number;
  /** From the call to its answer, ms, of the calls that did not fail; absent when all did. */
  readonly waitMs?: { readonly median: number; readonly p99: number };
}

/** What happened to one session. */
export interface SessionOutcome {
  /** From the issuer's books: how often each refresh token came. */
  readonly presentations: readonly number[];
  readonly alive: boolean;
  /** Each process, each cycle. */
  readonly cycles: readonly CycleResult[];
}

/** Adds up the sessions of one contestant in one setting. */
export function addUp(
  contestant: string,
  setting: Setting,
  sessions: readonly SessionOutcome[],
): Result {
  const all = sessions.flatMap((session) => session.cycles);
  const calls = all.flatMap((cycle) => cycle.calls);
  const waits = calls.filter(({ failed }) => failed === undefined).map(({ waitMs }) => waitMs);
  const presented = sessions
    .flatMap(({ presentations }) => presentations)
    .filter((times) => times > 0);
  const failures: Record<string, number> = {};
  for (const { failed } of calls)
    if (failed !== undefined) failures[failed] = (failures[failed] ?? 0) + 1;
  return {
    contestant,
    ...setting,
    refreshesPerGeneration: sum(presented) / presented.length,
    killed: sessions.filter(({ alive }) => !alive).length,
    callsMade: calls.length,
    callsFailed: calls.length - waits.length,
    failures,
    loginPrompts: sum(all.map(({ loginPrompts }) => loginPrompts)),
    ...(waits.length === 0
      ? {}
      : { waitMs: { median: median(waits), p99: quantile(waits, 0.99) } }),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

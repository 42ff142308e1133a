import type { AuditEntry } from '@outlive/core';
import type { Workers, WorkerWrite } from './workers.ts';

/** A grant whose user has to sign in again. */
export interface Loss {
  readonly grant: string;
  /** What the audit log says that it died of; absent when the log does not know of it. */
  readonly died: string | undefined;
  /** Whether the presentation was under way when its process was killed or stopped: what no client can help. */
  readonly inFlight: boolean;
  /** Whether its own process said that no response came in time: what no client can help either. */
  readonly responseLost: boolean;
  /** How long the grant was in doubt before it died, ms: at an issuer with leeway somebody has to recover it within that. */
  readonly inDoubtMs: number;
  /** Whether the audit log alone tells so: it names the attempt, the process that claimed it, and no result. */
  readonly toldByAudit: boolean;
}

/** Looks for what became of the last presentation of a grant. */
export function explainLoss(
  grant: string,
  entries: readonly AuditEntry[],
  writes: readonly WorkerWrite[],
  workers: Workers,
): Loss {
  const died = entries.findLast(({ type }) => type === 'grant-died');
  return {
    grant,
    died: died && [died.code, died.reason].filter((text) => text !== undefined).join(': '),
    inFlight: wasInFlight(writes, workers),
    responseLost: entries.some(
      ({ type, reason = '' }) => type === 'refresh-in-doubt' && !claimedBy.test(reason),
    ),
    inDoubtMs: inDoubtMs(writes),
    toldByAudit: died !== undefined && isTold(entries, workers),
  };
}

/** What recovery says of the process that vanished. */
const claimedBy = /^process (?<id>\S+) claimed it/;

function inDoubtMs(writes: readonly WorkerWrite[]): number {
  const open = unsettled(writes);
  return (open.at(-1)?.at ?? 0) - (open[0]?.at ?? 0);
}

/** What was written since the grant was last known to be well, oldest first. */
function unsettled(writes: readonly WorkerWrite[]): readonly WorkerWrite[] {
  const ordered = writes.toSorted((one, other) => one.at - other.at);
  return ordered.slice(ordered.findLastIndex(({ status }) => status === 'idle') + 1);
}

/** Somebody who had claimed the presentation met with trouble before anybody wrote to the grant again. */
function wasInFlight(writes: readonly WorkerWrite[], workers: Workers): boolean {
  return unsettled(writes).some(({ worker, status, at }, index, open) => {
    if (status !== 'refreshing' && status !== 'recovering') return false;
    const until = open[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    return troubled(workers, worker, at, until);
  });
}

/** The log names an attempt that it knows no result of: its process vanished over it, or got no answer. */
function isTold(entries: readonly AuditEntry[], workers: Workers): boolean {
  const settled = new Set(
    entries
      .filter(({ type }) => type === 'token-refreshed' || type === 'refresh-deferred')
      .map(({ attempt }) => attempt),
  );
  return entries.some(({ type, attempt, reason = '' }) => {
    if (type !== 'refresh-in-doubt' || settled.has(attempt)) return false;
    const owner = claimedBy.exec(reason)?.groups?.['id'];
    // Its own process says that no answer came in time.
    if (owner === undefined) return true;
    // A process may have died before it could say which worker it was.
    const worker = workers.ofProcess.get(owner);
    return worker === undefined || (workers.troubles.get(worker) ?? []).length > 0;
  });
}

/** A stopped process may run for a moment after it was told: the signal has to reach it. */
const signalMs = 100;

function troubled(workers: Workers, worker: number, from: number, until: number): boolean {
  const troubles = workers.troubles.get(worker) ?? [];
  return troubles.some(({ at }) => at + signalMs >= from && at < until);
}

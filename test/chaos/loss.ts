import type { AuditEntry } from '@outlive/core';
import type { Workers, WorkerWrite } from './workers.ts';

/** A grant whose user has to sign in again. */
export interface Loss {
  readonly grant: string;
  /** What the audit log says that it died of; absent when the log does not know of it. */
  readonly died: string | undefined;
  /** Whether the presentation was under way when its process was killed or stopped: what no client can help. */
  readonly inFlight: boolean;
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
    toldByAudit: died !== undefined && isTold(entries, workers),
  };
}

/** Somebody who had claimed the presentation met with trouble before anybody wrote to the grant again. */
function wasInFlight(writes: readonly WorkerWrite[], workers: Workers): boolean {
  const ordered = writes.toSorted((one, other) => one.at - other.at);
  const settled = ordered.findLastIndex(({ status }) => status === 'idle');
  return ordered.slice(settled + 1).some(({ worker, status, at }, index, open) => {
    if (status !== 'refreshing' && status !== 'recovering') return false;
    const until = open[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    return troubled(workers, worker, at, until);
  });
}

/** The log names an attempt that it knows no result of: its process vanished over it. */
function isTold(entries: readonly AuditEntry[], workers: Workers): boolean {
  const settled = new Set(
    entries
      .filter(({ type }) => type === 'token-refreshed' || type === 'refresh-deferred')
      .map(({ attempt }) => attempt),
  );
  return entries.some(({ type, attempt, reason = '' }) => {
    if (type !== 'refresh-in-doubt' || settled.has(attempt)) return false;
    const owner = /^process (?<id>\S+) claimed it/.exec(reason)?.groups?.['id'];
    if (owner === undefined) return false;
    // A process may have died before it could say which worker it was.
    const worker = workers.ofProcess.get(owner);
    return worker === undefined || (workers.troubles.get(worker) ?? []).length > 0;
  });
}

function troubled(workers: Workers, worker: number, from: number, until: number): boolean {
  const troubles = workers.troubles.get(worker) ?? [];
  return troubles.some(({ at }) => at >= from && at < until);
}

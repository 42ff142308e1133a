import type { Audit } from './audit.ts';
import type { AuditEntry, ChainVerification } from './audit-chain.ts';
import type { AuditEventType } from './audit-event.ts';
import { grantStream, subjectStream, taskStream } from './audit-streams.ts';
import { explanationText } from './explain-text.ts';
import { type ExplainedFacts, factsOf } from './explained-facts.ts';
import type { Principal } from './principal.ts';
import { StoreError } from './store.ts';

/** Where a task stands, as its audit tells it; `unknown` when nothing is recorded. */
export type ExplainedStatus =
  | 'active'
  | 'paused'
  | 'completed'
  | 'cancelled'
  | 'failed'
  | 'expired'
  | 'unknown';

/** What happened to a task. Plain JSON data. */
export interface Explanation extends ExplainedFacts {
  readonly taskId: string;
  readonly status: ExplainedStatus;
  /** The person it acted for, as the task's record names them; the log itself has only a keyed hash. */
  readonly onBehalfOf?: Principal;
  /**
   * What happened to the task, and during its time to the grants it used and to its person: oldest first, each
   * stream in its own order whatever the clocks of the processes that wrote it.
   */
  readonly entries: readonly AuditEntry[];
  /** The same as a timeline to read: plain text, one line an entry. */
  readonly text: string;
  /** The task's stream first, then those of its grants and of its person. Whatever is not `ok` stands in `text` too. */
  readonly verified: readonly ChainVerification[];
}

const statusAfter: Partial<Record<AuditEventType, ExplainedStatus>> = {
  'task-started': 'active',
  'task-paused': 'paused',
  'task-resumed': 'active',
  'task-completed': 'completed',
  'task-cancelled': 'cancelled',
  'task-failed': 'failed',
  'task-expired': 'expired',
};

/**
 * Answers "what happened to this task", and whether the answer can be trusted.
 *
 * A damaged stream is told up to its damage, and the damage with it.
 *
 * @throws {StoreError} when the store cannot be read.
 */
export async function explain(request: {
  readonly audit: Audit;
  readonly taskId: string;
  readonly onBehalfOf?: Principal | undefined;
}): Promise<Explanation> {
  const { audit, taskId, onBehalfOf } = request;
  await audit.flush();

  const task = await readable(audit, taskStream(taskId));
  const { status, endedAt } = standing(task);
  const startedAt = task[0]?.at ?? Number.POSITIVE_INFINITY;
  const grants = [...new Set(task.flatMap(({ grant }) => grant ?? []))].map(grantStream);

  const streams = [task];
  const before: AuditEntry[][] = [];
  const verified = [await audit.verify(taskStream(taskId))];
  for (const stream of grants) {
    const entries = await readable(audit, stream);
    before.push(entries.filter(({ at, taskId: of }) => of !== taskId && at < startedAt));
    streams.push(
      entries.filter((entry) => entry.taskId === taskId || during(entry.at, startedAt, endedAt)),
    );
    verified.push(await audit.verify(stream));
  }
  for (const stream of new Set(
    task.flatMap(({ principal }) => principal ?? []).map(subjectStream),
  )) {
    const verification = await audit.verify(stream);
    if (verification.ok && verification.entries === 0) continue;
    const entries = turnsOf(await readable(audit, stream));
    streams.push(entries.filter(({ at }) => during(at, startedAt, endedAt)));
    verified.push(verification);
  }

  const entries = merged(streams);
  // The grants' streams in full: a grant that was imported before the task began is alive all the same.
  const facts = factsOf(merged([...before, ...streams]), taskId);
  const text = explanationText({ taskId, status, onBehalfOf, facts, entries, verified });
  return {
    taskId,
    status,
    ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
    ...facts,
    entries,
    text,
    verified,
  };
}

/** Every process records what the gate told it; a timeline tells a state once, and at first only if it is not good. */
function turnsOf(entries: readonly AuditEntry[]): AuditEntry[] {
  return entries.filter(
    ({ outcome }, position) => outcome !== (entries[position - 1]?.outcome ?? 'active'),
  );
}

async function readable(audit: Audit, stream: string): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  try {
    for await (const entry of audit.read(stream)) entries.push(entry);
  } catch (error) {
    // What comes before the damage is still worth telling; `verify` names the damage itself.
    if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
  }
  return entries;
}

function standing(task: readonly AuditEntry[]): { status: ExplainedStatus; endedAt: number } {
  let status: ExplainedStatus = 'unknown';
  let endedAt = Number.POSITIVE_INFINITY;
  for (const { type, at } of task) {
    const next = statusAfter[type];
    if (next === undefined) continue;
    status = next;
    endedAt = next === 'active' || next === 'paused' ? Number.POSITIVE_INFINITY : at;
  }
  return { status, endedAt };
}

function during(at: number, from: number, to: number): boolean {
  return at >= from && at <= to;
}

function merged(streams: readonly (readonly AuditEntry[])[]): AuditEntry[] {
  return streams
    .flatMap((entries) => {
      // A process whose clock is behind must not move its entry before the one it was chained to.
      let latest = Number.NEGATIVE_INFINITY;
      return entries.map((entry) => {
        latest = Math.max(latest, entry.at);
        return { entry, at: latest };
      });
    })
    .sort((left, right) => left.at - right.at)
    .map(({ entry }) => entry);
}

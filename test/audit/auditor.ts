// What an auditor runs, with nothing but an exported log: `node test/audit/auditor.ts audit.jsonl`. Knows no store, no
// key, and nothing of the run; prints what it makes of each task as JSON.
import { readFileSync } from 'node:fs';
import { type AuditEntry, type ExplainedFacts, factsOf } from '@outlive/core';

/** What the log says of one task. */
export interface AuditedTask extends ExplainedFacts {
  readonly taskId: string;
  /** What in the log contradicts itself. Empty is what is wanted. */
  readonly contradictions: readonly string[];
}

/** What the log says of one grant. */
export interface AuditedGrant {
  readonly grant: string;
  /** Token pairs that arrived after the first. */
  readonly arrivals: number;
  /** Presentations that nobody can tell the outcome of. */
  readonly doubts: number;
  readonly generation: number;
}

/** What the auditor prints. */
export interface AuditReport {
  readonly tasks: readonly AuditedTask[];
  readonly grants: readonly AuditedGrant[];
}

const [, , file = ''] = process.argv;
const entries = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as AuditEntry);
const report: AuditReport = {
  tasks: idsOf('task:').map((taskId) => taskFrom(taskId)),
  grants: idsOf('grant:').map((grant) => grantFrom(grant)),
};
console.log(JSON.stringify(report));

function idsOf(prefix: string): string[] {
  const streams = new Set(entries.map(({ stream }) => stream));
  return [...streams].flatMap((stream) =>
    stream.startsWith(prefix) ? [stream.slice(prefix.length)] : [],
  );
}

function taskFrom(taskId: string): AuditedTask {
  const own = entries.filter(({ stream }) => stream === `task:${taskId}`);
  const grants = new Set(own.flatMap(({ grant }) => grant ?? []));
  const related = entries.filter(
    ({ stream, grant }) => stream.startsWith('grant:') && grant !== undefined && grants.has(grant),
  );
  const facts = factsOf([...related, ...own], taskId);
  return { taskId, ...facts, contradictions: contradictionsIn(own, facts) };
}

function contradictionsIn(own: readonly AuditEntry[], facts: ExplainedFacts): string[] {
  const given = new Set(
    facts.authorities.flatMap(({ resource, scopes }) =>
      scopes.map((scope) => `${resource} ${scope}`),
    ),
  );
  const beyond = facts.calls.flatMap(({ toolCallId, resource, scopes, outcome }) =>
    outcome !== 'refused' && scopes.some((scope) => !given.has(`${resource} ${scope}`))
      ? [`call ${toolCallId} has scopes that the task was not given`]
      : [],
  );
  const end = own.findIndex(({ type }) => /^task-(completed|cancelled|failed|expired)$/.test(type));
  const after = own
    .slice(end < 0 ? own.length : end + 1)
    .flatMap(({ type, toolCallId }) =>
      type === 'tool-call-started' ? [`call ${toolCallId} began after the end of the task`] : [],
    );
  const gaps = own.flatMap(({ sequence, dropped }, position) => [
    ...(sequence === position + 1 ? [] : [`entry ${position + 1} is missing`]),
    ...(dropped === undefined ? [] : [`${dropped} entries were dropped before ${sequence}`]),
  ]);
  const first = own[0]?.type === 'task-started' ? [] : ['the log does not begin with the task'];
  return [...first, ...gaps, ...beyond, ...after];
}

function grantFrom(grant: string): AuditedGrant {
  const own = entries.filter(({ stream }) => stream === `grant:${grant}`);
  const count = (...types: string[]): number =>
    own.filter(({ type }) => types.includes(type)).length;
  return {
    grant,
    // A recovery tells of its new pair twice: that it came, and that it was recovered.
    arrivals: new Set(
      own
        .filter(({ type }) => type === 'token-refreshed' || type === 'refresh-recovered')
        .map(({ attempt }) => attempt),
    ).size,
    doubts: count('refresh-in-doubt'),
    generation: Math.max(0, ...own.map(({ generation = 0 }) => generation)),
  };
}

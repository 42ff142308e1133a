// What an auditor runs, with nothing but an exported log: `node test/chaos/auditor.ts audit.jsonl`. Knows no store, no
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
  /** Presentations that nobody can tell the outcome of. */
  readonly doubts: number;
  /** The number of its newest token pair. */
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
  const principals = new Set(own.flatMap(({ principal }) => principal ?? []));
  const related = entries.filter(
    ({ stream, grant = '', principal = '' }) =>
      (stream.startsWith('grant:') && grants.has(grant)) ||
      (stream.startsWith('subject:') && principals.has(principal)),
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
  const resumed = own.flatMap(({ type, pauseId }) => (type === 'task-resumed' ? [pauseId] : []));
  const twice = resumed
    .filter((pauseId, position) => resumed.indexOf(pauseId) !== position)
    .map((pauseId) => `the task was resumed twice from pause ${pauseId}`);
  const first = own[0]?.type === 'task-started' ? [] : ['the log does not begin with the task'];
  return [...first, ...gaps, ...beyond, ...twice, ...after];
}

function grantFrom(grant: string): AuditedGrant {
  const own = entries.filter(({ stream }) => stream === `grant:${grant}`);
  return {
    grant,
    doubts: own.filter(({ type }) => type === 'refresh-in-doubt').length,
    generation: Math.max(0, ...own.map(({ generation = 0 }) => generation)),
  };
}

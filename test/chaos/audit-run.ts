import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { AcceptedRequest } from '@outlive/testing';
import type { AuditedGrant, AuditedTask, AuditReport } from './auditor.ts';
import type { ChaosGrant, ChaosWorld } from './chaos-world.ts';
import { letTasksGoOn } from './let-tasks-go-on.ts';

/** What an auditor who has nothing but the log makes of a run. */
export interface RunAudit {
  readonly entries: number;
  readonly tasks: number;
  /** Calls by their effect and outcome. */
  readonly calls: Readonly<Record<string, number>>;
  /** Words of people that were accepted. */
  readonly decisions: number;
  /** Presentations of which the log says that nobody knows what became of them. */
  readonly doubts: number;
  /** Where the log contradicts itself, the issuer, or the API. Empty is what is wanted. */
  readonly contradictions: readonly string[];
}

const auditor = fileURLToPath(new URL('./auditor.ts', import.meta.url));

/** Lets the tasks go on that were stopped, and ends them: those whose grant is lost are cancelled. */
export async function endTasks({ outlive, grants }: ChaosWorld): Promise<void> {
  await letTasksGoOn(outlive);
  for (const { taskId } of grants) {
    const task = await outlive.task(taskId);
    if ((await task?.complete())?.status === 'paused') await task?.cancel();
  }
}

/** Has the log of a run exported and audited by a program of its own, and compares with what issuer and API saw. */
export async function auditRun(world: ChaosWorld, folder: string): Promise<RunAudit> {
  const damages = await world.damages();
  const file = join(folder, 'audit.jsonl');
  const lines = await exportedLines(world);
  await writeFile(file, lines.join('\n'));
  const { stdout } = await promisify(execFile)(process.execPath, [auditor, file], {
    maxBuffer: 256 * 1024 * 1024,
  });
  const { tasks, grants } = JSON.parse(stdout) as AuditReport;
  const calls = tasks.flatMap((task) => task.calls);
  const byOutcome = Object.groupBy(calls, ({ effect, outcome }) => `${effect} ${outcome}`);
  return {
    entries: lines.length,
    tasks: tasks.length,
    calls: Object.fromEntries(
      Object.entries(byOutcome).map(([name, some = []]) => [name, some.length]),
    ),
    decisions: tasks.flatMap(({ decisions }) => decisions.filter(({ accepted }) => accepted))
      .length,
    doubts: grants.reduce((sum, { doubts }) => sum + doubts, 0),
    contradictions: [
      ...damages.map(({ stream }) => `${stream} is not as it was written`),
      ...tasks.flatMap(({ contradictions }) => contradictions),
      ...world.grants.flatMap((grant) => [
        ...callContradictions(world, grant, tasks),
        ...grantContradictions(world, grant, grants),
      ]),
    ],
  };
}

/** The streams of each task, its grant and its person. */
async function exportedLines({ grants, entries }: ChaosWorld): Promise<string[]> {
  const read = await Promise.all(
    grants.map(async ({ taskId, name }) => {
      const task = await entries(`task:${taskId}`);
      const [{ principal } = {}] = task;
      return [
        ...task,
        ...(await entries(`grant:${name}`)),
        ...(await entries(`subject:${principal}`)),
      ];
    }),
  );
  return read.flat().map((entry) => JSON.stringify(entry));
}

/** Which call of which task a request was: its idempotency key says so, which the API kept. */
function callOf({ idempotencyKey = '' }: AcceptedRequest): { taskId: string; toolCallId: string } {
  const [taskId = '', , toolCallId = ''] = idempotencyKey.split('.');
  return { taskId, toolCallId };
}

function callContradictions(
  { api }: ChaosWorld,
  { taskId, subject }: ChaosGrant,
  tasks: readonly AuditedTask[],
): string[] {
  const told = tasks.find((task) => task.taskId === taskId);
  if (told === undefined) return [`the log does not know task ${taskId}`];
  const requests = api.accepted.filter((request) => callOf(request).taskId === taskId);
  const seen = Map.groupBy(requests, (request) => callOf(request).toolCallId);
  const known = new Set(told.calls.map(({ toolCallId }) => toolCallId));
  return [
    ...told.calls.flatMap(({ toolCallId, toolName, outcome }) => {
      const times = seen.get(toolCallId)?.length ?? 0;
      const isRight = outcome === 'done' ? times === 1 : times <= (outcome === 'refused' ? 0 : 1);
      return isRight ? [] : [`${toolName} is ${outcome}, and the API saw it ${times} times`];
    }),
    ...requests.flatMap((request) => {
      // A read leaves no entry before it is over: that of a process that was killed may be missing.
      const isTold = request.method !== 'POST' || known.has(callOf(request).toolCallId);
      return [
        ...(isTold ? [] : ['the API answered a payment that the log does not know']),
        ...(request.subject === subject
          ? []
          : [`a request of ${subject}'s task was made for ${request.subject}`]),
      ];
    }),
  ];
}

function grantContradictions(
  { issuer }: ChaosWorld,
  { name, subject, issuerGrantId }: ChaosGrant,
  grants: readonly AuditedGrant[],
): string[] {
  const told = grants.find(({ grant }) => grant === name);
  if (told === undefined) return [`the log does not know ${subject}'s grant`];
  const { generation, doubts } = told;
  const { generations } = issuer.grant(issuerGrantId);
  return [
    // The log numbers the pairs: one whose own entry died with its process is told by the number of the next.
    generation > generations && `${subject}: pair ${generation} of ${generations}`,
    // The issuer may have answered more than arrived, and each of those the log tells as a doubt.
    generations - generation > doubts &&
      `${subject}: the issuer made ${generations} pairs, the log knows ${generation} and ${doubts} doubts`,
  ].filter((problem) => problem !== false);
}

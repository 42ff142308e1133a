import type { AcceptedRequest } from '@outlive/testing';
import { expect, it } from 'vitest';
import { runAudited } from './audited-run.ts';

/** Which call of which task a request was: its idempotency key says so, which the API kept. */
function callOf({ idempotencyKey = '' }: AcceptedRequest): { taskId: string; toolCallId: string } {
  const [taskId = '', , toolCallId = ''] = idempotencyKey.split('.');
  return { taskId, toolCallId };
}

// Eight processes are started one after the other, which takes long on a busy machine: a limit for what hangs.
it('an auditor who has nothing but the log finds what the issuer and the API saw, though processes were killed', async () => {
  await using run = await runAudited({ kills: 4, seed: 7 });
  const { report, api, issuer, people } = run;
  expect(people.every(({ verified }) => verified)).toBe(true);
  expect(report.tasks.map(({ taskId }) => taskId).toSorted()).toEqual(
    people.map(({ taskId }) => taskId).toSorted(),
  );
  expect(report.tasks.flatMap(({ contradictions }) => contradictions)).toEqual([]);

  const problems: string[] = [];
  const outcomes: Record<string, number> = {};
  for (const { taskId, calls, authorities, agent } of report.tasks) {
    const person = people.find((one) => one.taskId === taskId);
    const requests = api.accepted.filter((request) => callOf(request).taskId === taskId);
    const seen = Map.groupBy(requests, (request) => callOf(request).toolCallId);
    expect(agent).toBe('tester');
    expect(authorities).toMatchObject([{ resource: 'api', scopes: ['read', 'write'] }]);

    for (const { toolCallId, toolName, outcome, effect } of calls) {
      const times = seen.get(toolCallId)?.length ?? 0;
      outcomes[`${effect} ${outcome}`] = (outcomes[`${effect} ${outcome}`] ?? 0) + 1;
      if (outcome === 'done' && times !== 1)
        problems.push(`${toolName} is done, and the API saw it ${times} times`);
      if (outcome === 'refused' && times > 0)
        problems.push(`${toolName} was refused, and the API answered it`);
      if (times > 1) problems.push(`${toolName} was done ${times} times`);
    }
    const known = new Set(calls.map(({ toolCallId }) => toolCallId));
    for (const request of requests) {
      if (request.subject !== person?.subject)
        problems.push(`a request of ${person?.subject}'s task was made for ${request.subject}`);
      // A read leaves no entry before it is done: that of a process that was killed may be missing.
      if (request.method === 'POST' && !known.has(callOf(request).toolCallId))
        problems.push('the API answered a payment that the log does not know');
    }
  }
  expect(problems).toEqual([]);
  // Otherwise this would prove little.
  expect(outcomes['irreversible done']).toBeGreaterThan(10);
  expect(outcomes['read done']).toBeGreaterThan(10);

  for (const { grant, issuerGrantId } of people) {
    const told = report.grants.find((one) => one.grant === grant);
    const { generations } = issuer.grant(issuerGrantId);
    const { arrivals = 0, generation = 0, doubts = 0 } = told ?? {};
    // The log numbers the pairs: one whose own entry died with its process is told by the number of the next.
    expect(generation).toBeGreaterThan(0);
    expect(arrivals).toBeLessThanOrEqual(generation);
    // The issuer may have answered more than arrived, and each of those the log tells as a doubt.
    expect(generation).toBeLessThanOrEqual(generations);
    expect(generations - generation).toBeLessThanOrEqual(doubts);
  }
  const stopped = report.tasks.find(({ taskId }) => taskId === people[0]?.taskId);
  expect(stopped?.decisions).toMatchObject([{ by: 'admin', decision: 'resume', accepted: true }]);
}, 240_000);

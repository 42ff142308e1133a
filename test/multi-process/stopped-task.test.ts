import type { Task } from '@outlive/core';
import { expect, it } from 'vitest';
import { createWorld } from './world.ts';

/** The bound is one second; the rest is for machines that are busy with other tests. */
const boundMs = 1500;
/** So many refusals in a row, a millisecond apart at least, are looked at. */
const refusals = 200;

const stops: readonly [string, string, (task: Task) => Promise<unknown>][] = [
  ['paused', 'task_paused', (task) => task.pause('somebody had doubts')],
  ['cancelled', 'task_ended', (task) => task.cancel('no longer needed')],
];

for (const [what, code, stop] of stops)
  it(`a task that is ${what} gives no token in any process a second later, and none after that`, async () => {
    const world = await createWorld();
    const task = await world.startTask();
    const agents = await world.startAgents(4);
    const reports = agents.map((agent) => agent.call('askUntilRefused', task.id, refusals));
    await Promise.all(agents.map((agent) => agent.event('asking')));

    await stop(task);
    const stoppedAt = Date.now();

    for (const report of await Promise.all(reports)) {
      expect(report.lastServedAt - stoppedAt).toBeLessThanOrEqual(boundMs);
      expect(report.servedAfterRefusal).toBe(0);
      expect(new Set(report.refusals)).toEqual(new Set([code]));
    }
    for (const agent of agents)
      expect(await agent.call('token', task.id)).toMatchObject({ error: { code } });
  }, 60_000);

it('a task whose principal was reported as revoked gives no token in any process a second later', async () => {
  const world = await createWorld();
  const task = await world.startTask();
  const agents = await world.startAgents(4);
  const reports = agents.map((agent) => agent.call('askUntilRefused', task.id, refusals));
  await Promise.all(agents.map((agent) => agent.event('asking')));

  await world.outlive.reportUserState(task.principal, { state: 'revoked', source: 'directory' });
  const stoppedAt = Date.now();

  for (const report of await Promise.all(reports)) {
    expect(report.lastServedAt - stoppedAt).toBeLessThanOrEqual(boundMs);
    expect(report.servedAfterRefusal).toBe(0);
    expect(new Set(report.refusals)).toEqual(new Set(['user_state']));
  }
}, 60_000);

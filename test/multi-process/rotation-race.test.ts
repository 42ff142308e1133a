import { describe, expect, it } from 'vitest';
import type { Agent } from './start-agent.ts';
import { createWorld, type World } from './world.ts';

const processes = 4;
const callers = 100;
const generations = 5;

describe(`${processes} processes with ${callers} callers each`, () => {
  it('refresh once per generation when all of them need the next token at the same instant', async () => {
    const world = await createWorld({ accessTokenLifetimeMs: 2000 });
    const { id } = await world.startTask();
    const agents = await world.startAgents(processes);

    for (let round = 1; round <= generations; round += 1) {
      await all(agents, (agent) => agent.call('outliveToken'));
      const reports = await all(agents, (agent) => agent.call('serveOnce', id, callers));
      for (const report of reports)
        expect(report).toMatchObject({ served: callers, expired: 0, refused: [], statuses: [] });
    }

    await expectOneRefreshPerGeneration(world, agents);
  }, 60_000);

  it('refresh once per generation while they go on working', async () => {
    const world = await createWorld({ accessTokenLifetimeMs: 2000 });
    const { id } = await world.startTask();
    const agents = await world.startAgents(processes);
    const enough = Promise.withResolvers<void>();
    using _ = world.issuer.fault(({ number }) => {
      if (number > generations) enough.resolve();
      return undefined;
    });

    await all(agents, (agent) => agent.call('startServing', id, callers));
    await enough.promise;
    const reports = await all(agents, (agent) => agent.call('stopServing'));

    for (const report of reports) {
      expect(report).toMatchObject({ expired: 0, refused: [], statuses: [] });
      expect(report.served).toBeGreaterThan(callers);
    }
    await expectOneRefreshPerGeneration(world, agents);
  }, 60_000);
});

async function expectOneRefreshPerGeneration(world: World, agents: Agent[]): Promise<void> {
  const { issuer, grantId } = world;
  // A refresh that a process began in the background as the test ended still has to be stored.
  await expect.poll(async () => (await world.grant())?.status).toBe('idle');
  const issued = issuer.grant(grantId).generations;
  expect(issued).toBeGreaterThanOrEqual(generations);
  expect(issuer.counters).toMatchObject({ refreshRequests: issued, reuseDetected: 0 });
  expect((await world.grant())?.generation).toBe(issued);
  expect(world.presentations()).toEqual([...Array(issued).fill(1), 0]);

  const writes = await all(agents, (agent) => agent.call('grantWrites'));
  expect(new Set(writes.flat())).toEqual(new Set(['refreshing', 'idle']));
}

function all<T>(agents: Agent[], ask: (agent: Agent) => Promise<T>): Promise<T[]> {
  return Promise.all(agents.map(ask));
}

import { describe, expect, it } from 'vitest';
import type { Agent } from './start-agent.ts';
import { createWorld, type World } from './world.ts';

const exchanging = {
  delegation: 'tokenExchange',
  profile: { exchangedTokenGrant: 'own' },
} as const;
/** Others make an exchange again that they have seen unchanged for 2.1 s. */
const policy = { requestTimeoutMs: 2000, settleMs: 100, sendByMs: 1000, maxWaitMs: 60_000 };
const processes = 4;
const callers = 50;

describe(`the token of one task in ${processes} processes with ${callers} callers each`, () => {
  it('is exchanged once, for one refresh of the grant', async () => {
    const world = await createWorld(exchanging);
    const { id } = await world.startTask();
    const agents = await world.startAgents(processes);

    const reports = await Promise.all(agents.map((one) => one.call('serveOnce', id, callers)));

    for (const report of reports)
      expect(report).toMatchObject({
        served: callers,
        refused: [],
        statuses: [],
        generations: [1],
      });
    expect(world.issuer.counters).toMatchObject({ exchanges: 1, exchanged: 1, refreshRequests: 1 });
    for (const { actor } of world.api.accepted) expect(actor).toEqual({ sub: 'agent' });
  });

  it('is revoked by the process that ends the task, and no process gets another one', async () => {
    const world = await createWorld(exchanging);
    const task = await world.startTask();
    const agents = await world.startAgents(2);
    for (const agent of agents) await agent.call('token', task.id);

    expect(await task.complete()).toMatchObject({ delegations: [{ status: 'revoked' }] });

    expect(await newestTokenWorks(world)).toBe(false);
    for (const agent of agents)
      await expect
        .poll(() => agent.call('token', task.id), { timeout: 10_000 })
        .toMatchObject({ status: 'refused', error: { code: 'task_ended' } });
    expect(world.issuer.counters.exchanges).toBe(1);
  });
});

describe('a process that is killed while it exchanges', () => {
  it('is made up for by another one, and the token that nobody has counts as live', async () => {
    const world = await createWorld({ ...exchanging, policy });
    const task = await world.startTask();
    const victim = await world.startAgent();
    const others = await world.startAgents(2);

    await killWhileExchanging(world, victim, task.id);
    const answers = await Promise.all(others.map((agent) => agent.call('token', task.id)));

    expect(answers).toEqual(others.map(() => ({ status: 'served', generation: 1 })));
    expect(world.issuer.counters).toMatchObject({ exchanges: 2, exchanged: 2, refreshRequests: 1 });
    const end = await task.complete();
    expect(end.delegations).toMatchObject([{ status: 'lapsing' }]);
    expect(end.authorityEndsAt).toBeGreaterThan(Date.now());
    expect(await newestTokenWorks(world)).toBe(false);
  });
});

describe('a process that is gone', () => {
  it('leaves no authority behind: the maintenance of another one ends its task', async () => {
    const world = await createWorld({ ...exchanging, accessTokenLifetimeMs: 3_600_000 });
    const { id } = await world.startTask(60_000);
    const agent = await world.startAgent();
    expect(await agent.call('token', id)).toMatchObject({ status: 'served' });
    await agent.kill();
    expect(await newestTokenWorks(world)).toBe(true);

    // For this one the task has run out of time; the token has not.
    await world.startAgent({ clockAheadMs: 120_000 });

    const patience = { timeout: 30_000 };
    await expect.poll(() => newestTokenWorks(world), patience).toBe(false);
    await expect.poll(async () => (await world.outlive.task(id))?.status, patience).toBe('expired');
  });
});

/** The issuer has taken the request in when the process dies, and goes on with it. */
async function killWhileExchanging(world: World, victim: Agent, taskId: string): Promise<void> {
  const arrived = Promise.withResolvers<void>();
  const killed = Promise.withResolvers<void>();
  let first = true;
  world.issuer.fault(async ({ isRefresh }) => {
    if (isRefresh || !first) return undefined;
    first = false;
    arrived.resolve();
    await killed.promise;
    return undefined;
  });
  const lost = expect(victim.call('token', taskId)).rejects.toThrow(/ProcessEnded/);
  await arrived.promise;
  await victim.kill();
  killed.resolve();
  await lost;
}

async function newestTokenWorks({ issuer }: World): Promise<boolean> {
  const newest = issuer.issuedTokens().findLast(({ type }) => type === 'access_token');
  if (newest === undefined) throw new Error('no token was issued');
  return (await issuer.accessToken(newest.value)) !== undefined;
}

import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Agent } from './start-agent.ts';
import { createWorld, type World } from './world.ts';

/** Others recover an attempt that they have seen unchanged for 2.1 s. */
const policy = { requestTimeoutMs: 2000, settleMs: 100, sendByMs: 1000, maxWaitMs: 60_000 };
const probing = { probe: true };
const died = /ProcessEnded/;

describe('a process killed between its claim and the request', () => {
  for (const profile of [probing, { probe: false }])
    it(`is recovered from without a second presentation (probe: ${profile.probe})`, async () => {
      const world = await createWorld({ policy, profile });
      const { id } = await world.startTask();
      const victim = await world.startAgent({ holdAt: 'claimed' });
      const others = await world.startAgents(2);

      const lost = expect(victim.call('token', id)).rejects.toThrow(died);
      await victim.event('claimed');
      await victim.kill();
      await lost;
      const answers = await Promise.all(others.map((agent) => agent.call('token', id)));

      expect(answers).toEqual(others.map(() => ({ status: 'served', generation: 1 })));
      expect(world.presentations()).toEqual([1, 0]);
      expect(world.issuer.counters).toMatchObject({ refreshRequests: 1, reuseDetected: 0 });
    }, 60_000);
});

describe('a process killed while its request is under way', () => {
  it('is recovered from when the issuer never took the request in', async () => {
    const world = await createWorld({ policy, profile: probing });
    const { id } = await world.startTask();
    const victim = await world.startAgent();
    const [other] = await world.startAgents(1);

    await killInFlight(world, victim, id, 'dropBefore');

    expect(await other?.call('token', id)).toEqual({ status: 'served', generation: 1 });
    // The first presentation was lost on the way, and introspection said so before there was a second one.
    expect(world.presentations()).toEqual([2, 0]);
    expect(world.issuer.counters).toMatchObject({ introspections: 1, reuseDetected: 0 });
  }, 60_000);

  it('costs the grant, and no more, when the issuer has taken the request in', async () => {
    const world = await createWorld({ policy, profile: probing });
    const { id } = await world.startTask();
    const victim = await world.startAgent();
    const others = await world.startAgents(2);

    await killInFlight(world, victim, id, undefined);

    await expectPairLost(world, others, id);
  }, 60_000);
});

describe('a process killed between the response and the write', () => {
  it('leaves a grant that is known to be lost, and tasks that wait for the user', async () => {
    const world = await createWorld({ policy, profile: probing });
    const { id } = await world.startTask();
    const victim = await world.startAgent({ holdAt: 'settling' });
    const others = await world.startAgents(3);

    await killBeforeWrite(victim, id);

    await expectPairLost(world, others, id);
  }, 60_000);

  it('loses nothing when it has kept the response in a journal of this host', async () => {
    const world = await createWorld({ policy });
    const { id } = await world.startTask();
    const journal = journalOf(world, 'one');
    const victim = await world.startAgent({ holdAt: 'settling', journal });
    const others = await world.startAgents(2, { journal });

    await killBeforeWrite(victim, id);
    expect(readdirSync(journal)).toHaveLength(2);
    const answers = await Promise.all(others.map((agent) => agent.call('token', id)));

    expect(answers).toEqual(others.map(() => ({ status: 'served', generation: 1 })));
    expect(world.presentations()).toEqual([1, 0]);
    expect(await others[0]?.call('read', id)).toMatchObject({ httpStatus: 200 });
    await expect.poll(() => readdirSync(journal), { timeout: 5000 }).toEqual(['host']);
  }, 60_000);

  it('is adopted from by the next process that starts on this host, before anybody may recover', async () => {
    const world = await createWorld({ policy: { ...policy, requestTimeoutMs: 300_000 } });
    const { id } = await world.startTask();
    const journal = journalOf(world, 'one');
    const victim = await world.startAgent({ holdAt: 'settling', journal });
    await killBeforeWrite(victim, id);

    const next = await world.startAgent({ journal });
    await expect.poll(() => world.grant()).toMatchObject({ status: 'idle', generation: 1 });
    expect(await next.call('token', id)).toEqual({ status: 'served', generation: 1 });
    expect(await next.call('grantWrites')).toEqual(['idle']);
    expect(await next.call('read', id)).toMatchObject({ httpStatus: 200 });
    expect(world.presentations()).toEqual([1, 0]);
  }, 60_000);

  it('is waited for by another host, which then follows the next rule; its own host still brings the pair back', async () => {
    const world = await createWorld({
      policy: { ...policy, journalGraceMs: 3000 },
      profile: probing,
    });
    const { id } = await world.startTask();
    const journal = journalOf(world, 'one');
    const victim = await world.startAgent({ holdAt: 'settling', journal });
    const elsewhere = await world.startAgent({ journal: journalOf(world, 'two') });
    await killBeforeWrite(victim, id);

    const startedAt = performance.now();
    const answer = await elsewhere.call('token', id);
    // It may take longer on a busy machine, never less: the whole wait, and the grace.
    expect(performance.now() - startedAt).toBeGreaterThan(2100 + 3000);
    expect(answer).toMatchObject({
      status: 'refused',
      error: { code: 'reauthorization_required', reason: 'rotated_pair_lost' },
    });

    const back = await world.startAgent({ journal });
    await expect.poll(() => world.grant()).toMatchObject({ status: 'idle', generation: 1 });
    for (const agent of [back, elsewhere])
      expect(await agent.call('token', id)).toEqual({ status: 'served', generation: 1 });
    expect(world.presentations()).toEqual([1, 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  }, 60_000);

  it('is presented once more, and never again, where nothing can be asked', async () => {
    const world = await createWorld({ policy });
    const { id } = await world.startTask();
    const victim = await world.startAgent({ holdAt: 'settling' });
    const others = await world.startAgents(2);

    await killBeforeWrite(victim, id);
    const answers = await Promise.all(others.map((agent) => agent.call('token', id)));

    for (const answer of answers)
      expect(answer).toMatchObject({
        status: 'refused',
        error: { code: 'reauthorization_required', reason: 'rejected' },
      });
    expect(world.presentations()).toEqual([2, 0]);
    expect(world.issuer.counters).toMatchObject({ refreshRequests: 2, reuseDetected: 1 });
  }, 60_000);
});

/** The journal of a host, by its name. */
function journalOf(world: World, host: string): string {
  return join(dirname(world.setup.storePath), host);
}

/** Kills `victim` when the response has come, and nothing of it is in the store. */
async function killBeforeWrite(victim: Agent, taskId: string): Promise<void> {
  const lost = expect(victim.call('token', taskId)).rejects.toThrow(died);
  await victim.event('settling');
  await victim.kill();
  await lost;
}

/** Kills `victim` when its request has come to the issuer, which then goes on with it, or with `fault`. */
async function killInFlight(
  world: World,
  victim: Agent,
  taskId: string,
  fault: 'dropBefore' | undefined,
): Promise<void> {
  const arrived = Promise.withResolvers<void>();
  const killed = Promise.withResolvers<void>();
  world.issuer.fault(async ({ number }) => {
    if (number > 1) return undefined;
    arrived.resolve();
    await killed.promise;
    return fault && { fault };
  });
  const lost = expect(victim.call('token', taskId)).rejects.toThrow(died);
  await arrived.promise;
  await victim.kill();
  killed.resolve();
  await lost;
}

/** The end that no client can avoid without a journal: found out by asking, and told to everybody. */
async function expectPairLost(world: World, others: Agent[], taskId: string): Promise<void> {
  const [first, ...rest] = others;
  expect(await first?.call('token', taskId)).toMatchObject({
    status: 'refused',
    error: { code: 'reauthorization_required', reason: 'rotated_pair_lost' },
  });
  expect(await world.grant()).toMatchObject({
    status: 'dead',
    death: 'rotated_pair_lost',
    generation: 0,
  });

  const { introspections } = world.issuer.counters;
  for (const agent of rest)
    expect(await agent.call('token', taskId)).toMatchObject({
      status: 'refused',
      error: { code: 'reauthorization_required', reason: 'rotated_pair_lost' },
    });
  const refused = await rest[0]?.call('read', taskId);
  expect(refused).toMatchObject({
    status: 'refused',
    runStatus: 'paused',
    error: { code: 'reauthorization_required' },
  });
  for (const agent of others) {
    await expect.poll(() => agent.call('status', taskId), { timeout: 5000 }).toBe('paused');
    expect(await agent.call('token', taskId)).toMatchObject({ error: { code: 'task_paused' } });
  }

  // Whoever comes later asks nobody any more, and nobody tried the token a second time.
  expect(world.issuer.counters).toMatchObject({
    refreshRequests: 1,
    introspections,
    reuseDetected: 0,
  });
  expect(world.presentations()).toEqual([1, 0]);
}

import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError, type KillSwitchTarget } from '../src/index.ts';
import { alice, collect, createWorld, reading, untilUnusableMs } from './world.ts';

const targets: readonly KillSwitchTarget[] = [
  { agent: 'agent' },
  { tenant: 'acme' },
  { provider: 'p' },
];
const others: readonly KillSwitchTarget[] = [
  { agent: 'another' },
  { tenant: 'another' },
  { provider: 'q' },
];
const word = { by: 'ops', reason: 'drill' };
const principal = { ...alice, tenant: 'acme' };

/** A running task of a tenant's principal, known to two processes. */
async function setUp() {
  const world = await createWorld();
  const here = world.start();
  await world.grant(here, { principal });
  const task = await world.task(here, { principal });
  const there = world.start();
  const same = await there.outlive.task(task.id);
  if (same === undefined) throw new Error('the task is gone');
  await task.getAccessToken(reading);
  await same.getAccessToken(reading);
  return { world, here, there, task, same };
}

describe('a kill switch', () => {
  it('stops an agent, a tenant or a provider in every process, until it is released', async () => {
    const { world, here, task, same } = await setUp();
    await using _ = world;
    for (const target of targets) {
      await here.outlive.killSwitches.stop(target, word);
      await expect(task.getAccessToken(reading)).rejects.toMatchObject({
        code: 'stopped_by_operator',
        recovery: 'operator',
        reason: Object.keys(target)[0],
      });
      await vi.waitFor(
        () =>
          expect(same.getAccessToken(reading)).rejects.toMatchObject({
            code: 'stopped_by_operator',
          }),
        1000,
      );
      await here.outlive.killSwitches.release(target, word);
      expect((await task.getAccessToken(reading)).generation).toBe(0);
      await vi.waitFor(() => same.getAccessToken(reading), 1000);
    }
  });

  it('stops nobody else', async () => {
    const { world, here, task } = await setUp();
    await using _ = world;
    for (const target of others) await here.outlive.killSwitches.stop(target, word);
    expect((await task.getAccessToken(reading)).generation).toBe(0);
    expect(await here.outlive.killSwitches.stopped()).toHaveLength(3);
  });

  it('lets no task start', async () => {
    const { world, here } = await setUp();
    await using _ = world;
    for (const target of targets) {
      await here.outlive.killSwitches.stop(target, word);
      await expect(world.task(here, { principal })).rejects.toMatchObject({
        code: 'stopped_by_operator',
      });
      await here.outlive.killSwitches.release(target, word);
    }
  });

  it('lets nothing be minted, not even where it was thrown while a token was on its way', async () => {
    const { world, here, task } = await setUp();
    await using _ = world;
    world.clock.skip(untilUnusableMs);
    world.issuer.options.latencyMs = 50;
    const refreshing = task.getAccessToken(reading).then(
      () => 'handed out',
      (error) => error.code,
    );
    await vi.waitFor(() => expect(world.issuer.counters.refreshRequests).toBe(1));
    await here.outlive.killSwitches.stop({ provider: 'p' }, word);
    expect(await refreshing).toBe('stopped_by_operator');
    // The pair is kept all the same.
    expect(await world.grantRecord()).toMatchObject({ generation: 1, state: { status: 'idle' } });
    world.clock.skip(untilUnusableMs);
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({
      code: 'stopped_by_operator',
    });
    expect(world.issuer.counters.refreshRequests).toBe(1);
  });

  it('pauses a task whose call it refuses, for the operator, and holds up its resumption', async () => {
    const { world, here, task } = await setUp();
    await using _ = world;
    await here.outlive.killSwitches.stop({ agent: 'agent' }, word);
    const call = task.startRun().call({
      requirement: reading,
      toolName: 'read',
      toolCallId: 'c1',
      input: {},
    });
    await expect(call.principal.fetch('items')).rejects.toMatchObject({
      code: 'stopped_by_operator',
    });
    const [pause] = await collect(here.outlive.waitingPauses());
    expect(pause).toMatchObject({ status: 'open', requires: ['operator'] });
    if (pause === undefined) return;
    await here.outlive.decide(pause.id, { decision: 'resume', by: 'ops' });
    expect(await here.outlive.resume(pause.id)).toMatchObject({
      status: 'waiting',
      because: 'an operator has stopped the agent',
    });
    await here.outlive.killSwitches.release({ agent: 'agent' }, word);
    expect(await here.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('is found out within the revalidation interval where the news of it was lost', async () => {
    const { world, here, same, there } = await setUp();
    await using _ = world;
    here.store.intercept((call, proceed) =>
      call.operation === 'append' ? new Promise(() => undefined) : proceed(),
    );
    const lost = here.outlive.killSwitches.stop({ agent: 'agent' }, word);
    lost.catch(() => undefined);
    await vi.waitFor(async () =>
      expect(await there.outlive.killSwitches.stopped()).toHaveLength(1),
    );
    world.clock.skip(30_000);
    await expect(same.getAccessToken(reading)).rejects.toMatchObject({
      code: 'stopped_by_operator',
    });
  });

  it('says who threw it in the audit log', async () => {
    const { world, here } = await setUp();
    await using _ = world;
    await here.outlive.killSwitches.stop({ agent: 'agent' }, word);
    await here.outlive.killSwitches.release({ agent: 'agent' }, { by: 'ada' });
    await vi.waitFor(() =>
      expect(
        world.events
          .filter(({ type }) => type.startsWith('switch-'))
          .map(({ type, by }) => [type, by]),
      ).toEqual([
        ['switch-thrown', 'ops'],
        ['switch-released', 'ada'],
      ]),
    );
  });

  it('refuses targets and words that are incomplete', async () => {
    const { world, here } = await setUp();
    await using _ = world;
    const { killSwitches } = here.outlive;
    for (const target of [{}, { agent: '' }, { agent: 'a', tenant: 'b' }, { person: 'x' }])
      await expect(killSwitches.stop(target as never, word)).rejects.toBeInstanceOf(
        ConfigurationError,
      );
    await expect(killSwitches.stop({ agent: 'a' }, { by: '' })).rejects.toBeInstanceOf(
      ConfigurationError,
    );
  });
});

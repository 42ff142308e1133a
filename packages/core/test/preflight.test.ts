import { describe, expect, it } from 'vitest';
import type { AgentRun, Requirement } from '../src/index.ts';
import {
  createWorld,
  deleting,
  type Process,
  reading,
  untilUnusableMs,
  type World,
  writing,
} from './world.ts';

const call = (requirement: Requirement, toolCallId = 'c1') => ({
  requirement,
  toolName: 'items',
  toolCallId,
  input: {},
});

async function running(world: World): Promise<{ process: Process; run: AgentRun }> {
  const process = world.start();
  await world.grant(process);
  return { process, run: (await world.task(process)).startRun() };
}

describe('a call of which nothing is known to be missing', () => {
  it('passes, without a request to the issuer', async () => {
    await using world = await createWorld();
    const { run } = await running(world);
    expect(await run.preflight(call(reading))).toBeUndefined();
    expect(run.refusals).toEqual([]);
    expect(world.issuer.counters.refreshRequests).toBe(0);
  });

  it('passes while the store cannot be asked: the call itself finds out', async () => {
    await using world = await createWorld();
    const { process, run } = await running(world);
    using _ = process.store.intercept(() => Promise.reject(new Error('the store is away')));
    expect(await run.preflight(call(reading))).toBeUndefined();
    expect(run.refusals).toEqual([]);
  });
});

describe('a call whose authority is known to be missing', () => {
  it('is refused before it runs, because the grant is dead: the task is paused, and the call may run again', async () => {
    await using world = await createWorld();
    const { run } = await running(world);
    const elsewhere = await world.start().outlive.task(run.taskId);
    world.issuer.user('alice').active = false;
    world.clock.skip(untilUnusableMs);
    await expect(elsewhere?.getAccessToken(reading)).rejects.toMatchObject({
      code: 'reauthorization_required',
    });
    const asked = world.issuer.counters.tokenRequests;

    const refusal = await run.preflight(call(writing));

    expect(refusal).toMatchObject({ code: 'reauthorization_required' });
    expect(await run.finish()).toMatchObject({ status: 'paused', pause: { id: refusal?.ref } });
    expect(run.ledger).toMatchObject([{ toolCallId: 'c1', outcome: 'refused' }]);
    expect(run.halted).toBe(true);
    expect(world.issuer.counters.tokenRequests).toBe(asked);
  });

  it.each([
    ['the person was stopped', 'user_state'],
    ['the task was not given the scope', 'insufficient_scope'],
  ])('is refused because %s', async (why, code) => {
    await using world = await createWorld();
    const { run } = await running(world);
    if (code === 'user_state') world.turn('revoked');
    const scopes = why.includes('scope') ? ['beyond'] : reading.scopes;
    expect(await run.preflight(call({ ...reading, scopes }))).toMatchObject({ code });
  });
});

describe('a call that begins when its run is over', () => {
  it('is not admitted, and may run again when the task goes on', async () => {
    await using world = await createWorld();
    const { run } = await running(world);
    await run.preflight(call({ ...deleting, scopes: ['beyond'] }));

    const late = run.call(call(writing, 'c2'));

    expect(await late.admission).toMatchObject({ code: 'task_paused' });
    expect(run.ledger.map(({ toolCallId, outcome }) => [toolCallId, outcome])).toEqual([
      ['c1', 'refused'],
      ['c2', 'refused'],
    ]);
  });
});

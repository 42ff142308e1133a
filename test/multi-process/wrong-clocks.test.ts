import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createWorld } from './world.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

it('a process whose clock is a minute ahead works beside one whose clock is right', async () => {
  const accessTokenLifetimeMs = 2000;
  const world = await createWorld({ accessTokenLifetimeMs });
  const { id } = await world.startTask();
  const ahead = await world.startAgent({ clockAheadMs: minuteMs });
  const right = await world.startAgent();
  const agents = [ahead, right];

  for (let round = 0; round < 4; round += 1) {
    const reports = await Promise.all(agents.map((agent) => agent.call('serveOnce', id, 20)));
    // To the one everything of the other has expired, to the other the tokens of the first live too long: the
    // API's 401 puts that right.
    for (const report of reports)
      expect(report).toMatchObject({ served: 20, refused: [], statuses: [] });
    await wait(accessTokenLifetimeMs);
  }

  const { issuer, grantId } = world;
  const issued = issuer.grant(grantId).generations;
  expect(issued).toBeGreaterThanOrEqual(4);
  expect(world.presentations()).toEqual([...Array(issued).fill(1), 0]);
  expect(issuer.counters).toMatchObject({ refreshRequests: issued, reuseDetected: 0 });
  for (const agent of agents) expect(await agent.call('grantWrites')).not.toContain('recovering');
}, 60_000);

it('nobody recovers the living claim of a process whose clock is a minute ahead, or behind', async () => {
  for (const clockAheadMs of [minuteMs, -minuteMs]) {
    // The token outlasts the minute, whoever reads its expiry; waiting is bounded sooner than recovery begins.
    const world = await createWorld({
      accessTokenLifetimeMs: hourMs,
      policy: { maxWaitMs: 20_000 },
    });
    const { id } = await world.startTask();
    const wrong = await world.startAgent({ clockAheadMs });
    const right = await world.startAgent();
    const arrived = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<undefined>();
    using _ = world.issuer.fault(() => {
      arrived.resolve();
      return answer.promise;
    });

    const claiming = wrong.call('token', id);
    await arrived.promise;
    const waiting = right.call('token', id);
    await right.event('waiting');
    answer.resolve(undefined);

    expect(await claiming).toEqual({ status: 'served', generation: 1 });
    expect(await waiting).toEqual({ status: 'served', generation: 1 });
    expect(await right.call('grantWrites')).toEqual([]);
    expect(world.presentations()).toEqual([1, 0]);
  }
}, 60_000);

it('a back-off that a process a minute ahead has written holds nobody longer than the back-off', async () => {
  const world = await createWorld({ policy: { maxWaitMs: 20_000 } });
  const { id } = await world.startTask();
  const ahead = await world.startAgent({ clockAheadMs: minuteMs });
  const right = await world.startAgent();
  using _ = world.issuer.fault(({ number }) =>
    number === 1 ? { fault: 'status', status: 429, headers: { 'retry-after': '3' } } : undefined,
  );

  const gone = expect(ahead.call('token', id)).rejects.toThrow(/ProcessEnded/);
  await expect.poll(() => ahead.call('grantWrites'), { timeout: 5000 }).toContain('idle');
  await ahead.kill();
  await gone;

  expect(await right.call('token', id)).toEqual({ status: 'served', generation: 1 });
  expect(world.issuer.counters).toMatchObject({ refreshRequests: 2, reuseDetected: 0 });
}, 60_000);

for (const [what, jumpMs] of [
  ['forward', hourMs],
  ['back', -hourMs],
] as const) {
  it(`a clock that jumps ${what} between claim and request loses nothing`, async () => {
    const world = await createWorld();
    const { id } = await world.startTask();
    const jumper = await world.startAgent({ holdAt: 'claimed' });
    const other = await world.startAgent();

    const waiting = jumper.call('token', id);
    await jumper.event('claimed');
    await jumper.call('shiftClock', jumpMs);
    jumper.release();

    expect(await waiting).toEqual({ status: 'served', generation: 1 });
    expect(world.presentations()).toEqual([1, 0]);
    await jumper.call('shiftClock', 0);
    for (const agent of [jumper, other])
      expect(await agent.call('read', id)).toMatchObject({ status: 'answered', httpStatus: 200 });
    expect(world.issuer.counters.reuseDetected).toBe(0);
  }, 60_000);

  it(`a clock that jumps ${what} while the request is under way loses nothing`, async () => {
    const world = await createWorld();
    const { id } = await world.startTask();
    const jumper = await world.startAgent();
    const other = await world.startAgent();
    const arrived = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<undefined>();
    using _ = world.issuer.fault(({ number }) => {
      arrived.resolve();
      return number === 1 ? answer.promise : undefined;
    });

    const waiting = jumper.call('token', id);
    await arrived.promise;
    await jumper.call('shiftClock', jumpMs);
    answer.resolve(undefined);

    expect(await waiting).toMatchObject({ status: 'served' });
    await jumper.call('shiftClock', 0);
    for (const agent of [jumper, other])
      expect(await agent.call('read', id)).toMatchObject({ status: 'answered', httpStatus: 200 });
    const issued = world.issuer.grant(world.grantId).generations;
    expect(world.presentations()).toEqual([...Array(issued).fill(1), 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  }, 60_000);
}

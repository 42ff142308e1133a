import { expect, it } from 'vitest';
import { createWorld } from './world.ts';

/** Others recover after 2.1 s; a claim that is older than 1 s is not sent any more. */
const policy = { requestTimeoutMs: 2000, settleMs: 100, sendByMs: 1000, maxWaitMs: 60_000 };

it('a process that wakes after others have recovered its claim sends nothing and takes over their pair', async () => {
  const world = await createWorld({ policy });
  const { id } = await world.startTask();
  const sleeper = await world.startAgent({ holdAt: 'claimed' });
  const other = await world.startAgent();

  const waiting = sleeper.call('token', id);
  await sleeper.event('claimed');
  sleeper.freeze();
  // It finds this when it wakes: for the process no time has passed between the claim and the request.
  sleeper.release();
  expect(await other.call('token', id)).toEqual({ status: 'served', generation: 1 });
  expect(world.issuer.counters.refreshRequests).toBe(1);
  sleeper.wake();

  expect(await waiting).toEqual({ status: 'served', generation: 1 });
  expect(await sleeper.call('grantWrites')).toEqual(['refreshing']);
  expect(await other.call('grantWrites')).toEqual(['recovering', 'recovering', 'idle']);
  expect(world.presentations()).toEqual([1, 0]);
  expect(world.issuer.counters).toMatchObject({ refreshRequests: 1, reuseDetected: 0 });
  for (const agent of [sleeper, other])
    expect(await agent.call('read', id)).toMatchObject({ status: 'answered', httpStatus: 200 });
  expect(world.issuer.counters.refreshRequests).toBe(1);
}, 60_000);

it('a process that wakes before anybody gave it up lets its old claim go, and claims anew', async () => {
  const world = await createWorld({ policy: { ...policy, requestTimeoutMs: 30_000 } });
  const { id } = await world.startTask();
  const sleeper = await world.startAgent({ holdAt: 'claimed' });

  const waiting = sleeper.call('token', id);
  await sleeper.event('claimed');
  sleeper.freeze();
  sleeper.release();
  await new Promise((resolve) => setTimeout(resolve, 2 * policy.sendByMs));
  sleeper.wake();

  expect(await waiting).toEqual({ status: 'served', generation: 1 });
  expect(await sleeper.call('grantWrites')).toEqual(['refreshing', 'idle', 'refreshing', 'idle']);
  expect(world.presentations()).toEqual([1, 0]);
}, 60_000);

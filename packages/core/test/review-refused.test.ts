import { describe, expect, it } from 'vitest';
import { createWorld, reading, untilUnusableMs } from './world.ts';

/** An issuer that rotates first and refuses then. */
const refusing = (when: () => boolean): typeof globalThis.fetch => async (input, init) => {
  const response = await globalThis.fetch(input, init);
  if (!String(input).endsWith('/token') || !when()) return response;
  await response.text();
  return Response.json({ error: 'invalid_target' }, { status: 400 });
};

async function setUp(profile: object, when: () => boolean) {
  const world = await createWorld({ process: { provider: { profile, fetch: refusing(when) }, policy: { requestTimeoutMs: 10_000, settleMs: 2000 } } });
  const process = world.start();
  const grantId = await world.grant(process);
  const task = await world.task(process);
  world.clock.skip(untilUnusableMs);
  return { world, process, grantId, task };
}

describe('refused', () => {
  it('policy reauthorize: never presented twice', async () => {
    const { world, grantId, task } = await setUp({ whenInDoubt: 'reauthorize' }, () => true);
    await using _ = world;
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'issuer_refused' });
    world.clock.skip(120_000);
    await task.getAccessToken(reading).catch(() => undefined);
    expect(world.presented(grantId)).toEqual([1, 0]);
    expect(world.issuer.counters.reuseDetected).toBe(0);
  });
  it('policy presentOnce: again by recovery only, and not used means deferred', async () => {
    const { world, grantId, task } = await setUp({}, () => false);
    await using _ = world;
    using _refused = world.issuer.fault(() => ({ fault: 'status', status: 400, body: { error: 'invalid_scope' } }));
    await expect(task.getAccessToken(reading)).rejects.toMatchObject({ code: 'issuer_refused' });
    expect((await world.grantRecord()).state.status).toBe('refreshing');
    const second = task.getAccessToken(reading);
    second.catch(() => undefined);
    await new Promise((r) => setTimeout(r, 300));
    world.clock.skip(12_000);
    await expect(second).rejects.toMatchObject({ code: 'issuer_refused' });
    expect((await world.grantRecord()).state).toMatchObject({ status: 'idle' });
    void grantId;
  });
});

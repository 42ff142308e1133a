import { describe, expect, it } from 'vitest';
import { createLatch, createWorld, reading, untilDueMs, untilUnusableMs } from './world.ts';

/** A world whose issuer ends the earlier access tokens of a grant when it rotates, and whose app knows. */
async function setUp() {
  const world = await createWorld({
    issuer: { accessTokenAfterRotation: 'revoked' },
    process: { provider: { profile: { accessTokenAfterRotation: 'revoked' } } },
  });
  const process = world.start();
  const grantId = await world.grant(process);
  const task = await world.task(process);
  const call = (id: string) =>
    task.startRun().call({ requirement: reading, toolName: 'list', toolCallId: id, input: {} });
  return { world, process, grantId, task, call };
}

describe('where a rotation ends the earlier access token', () => {
  it('a due token is served and not refreshed: that would end it in other hands', async () => {
    const { world, process, task, call } = await setUp();
    await using _ = world;
    const held = await task.getAccessToken(reading);
    world.clock.skip(untilDueMs);

    expect(await task.getAccessToken(reading)).toBe(held);
    expect((await call('c1').principal.fetch('items')).status).toBe(200);

    await process.outlive.close();
    expect(world.issuer.counters.tokenRequests).toBe(0);
  });

  it('callers of two processes wait for the next one once it is unusable', async () => {
    const { world, task, grantId } = await setUp();
    await using _ = world;
    const other = await world.start().outlive.task(task.id);
    await other?.getAccessToken(reading);
    world.clock.skip(untilUnusableMs);

    const served = await Promise.all([task, other].map((one) => one?.getAccessToken(reading)));

    expect(served.map((token) => token?.generation)).toEqual([1, 1]);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });

  it('a call that is on its way when another process rotates is made again with the new token', async () => {
    const { world, task, call, grantId } = await setUp();
    await using _ = world;
    const other = await world.start().outlive.task(task.id);
    const { generation } = await task.getAccessToken(reading);
    const sent = createLatch();
    const rotated = createLatch();
    const body = new Blob(['{}']);
    const late = world.start({
      async fetch(input, init) {
        sent.open();
        await rotated.opened;
        return fetch(input, init);
      },
    });
    const run = (await late.outlive.task(task.id))?.startRun();
    const write = { ...reading, scopes: ['write'], effect: 'reversible' } as const;
    const answer = run
      ?.call({ requirement: write, toolName: 'add', toolCallId: 'w1', input: {} })
      .principal.fetch('items', { method: 'POST', body });
    await sent.opened;

    await other?.getAccessToken(reading, { rejectedGeneration: generation });
    rotated.open();

    expect((await answer)?.status).toBe(200);
    expect((await call('c2').principal.fetch('items')).status).toBe(200);
    expect(world.presented(grantId)).toEqual([1, 0]);
  });
});

import { describe, expect, it } from 'vitest';
import type { TaskEnd } from '../src/index.ts';
import { apiOf, delegationsOf, type Exchange, eventually, exchangingWorld } from './exchanging.ts';
import { alice, never, reading } from './world.ts';

/** More than the store is asked while a token is minted: the last cases find nothing to interrupt. */
const points = Array.from({ length: 16 }, (_, at) => at);

/** Runs `then` when the store of the task's process is asked for the `at`th time from now on, and before it answers. */
function interruptAt({ process }: Exchange, at: number, then: () => Promise<unknown>): void {
  let calls = 0;
  process.store.intercept(async (_call, proceed) => {
    calls += 1;
    if (calls === at + 1) await then();
    return proceed();
  });
}

/** The exchanged tokens that the issuer takes for good. */
async function livingTokens({ world }: Exchange): Promise<number> {
  const facts = await Promise.all(
    world.issuer.issuedTokens().map(({ value }) => world.issuer.accessToken(value)),
  );
  return facts.filter((fact) => fact?.actor !== undefined).length;
}

/** What is known of the delegation says of each living token that it lives. */
async function expectToldOf(exchange: Exchange, end?: TaskEnd): Promise<void> {
  const [delegation] = await delegationsOf(exchange.world);
  if ((await livingTokens(exchange)) === 0) return;
  expect(delegation).toMatchObject({ status: 'lapsing' });
  expect(delegation?.authorityEndsAt).toBeGreaterThan(exchange.world.clock.now());
  if (end !== undefined) expect(end.authorityEndsAt).toBeDefined();
}

describe('a task that another process ends while a token is minted for it', () => {
  it.each(points)('at store call %i: no token lives on', async (at) => {
    const exchange = await exchangingWorld();
    await using world = exchange.world;
    const other = world.start({ resources: { api: apiOf(world) } });
    const same = await other.outlive.task(exchange.task.id);
    interruptAt(exchange, at, async () => same?.complete());

    await exchange.task.getAccessToken(reading).catch(() => undefined);
    await same?.complete();

    await eventually(async () => {
      expect(await delegationsOf(world)).toMatchObject([{ status: 'revoked' }]);
      expect(await livingTokens(exchange)).toBe(0);
    });
  });
});

describe('a principal who is revoked while a token is minted', () => {
  it.each(points)('at store call %i: no token lives on', async (at) => {
    const exchange = await exchangingWorld({
      // Time is let pass below, and no token may outlive it.
      issuer: { accessTokenLifetimeMs: 86_400_000 },
    });
    await using world = exchange.world;
    const other = world.start({ resources: { api: apiOf(world) } });
    const revoke = () =>
      other.outlive.reportUserState(alice, { state: 'revoked', source: 'directory' });
    let revoked = false;
    interruptAt(exchange, at, async () => {
      revoked = true;
      await revoke();
    });

    await exchange.task.getAccessToken(reading).catch(() => undefined);
    if (!revoked) await revoke();

    await eventually(async () => {
      world.clock.skip(10_000);
      await other.outlive.maintain();
      expect(await livingTokens(exchange)).toBe(0);
    });
  });
});

describe('a process that dies while it mints a token', () => {
  it.each(points)(
    'at store call %i: its token is revoked with the task, or told of',
    async (at) => {
      const exchange = await exchangingWorld();
      await using world = exchange.world;
      const died = Promise.withResolvers<void>();
      interruptAt(exchange, at, async () => {
        exchange.process.kill();
        died.resolve();
        await never();
      });
      const token = exchange.task.getAccessToken(reading).catch(() => undefined);
      await Promise.race([token, died.promise]);
      exchange.process.kill();

      const other = world.start({ resources: { api: apiOf(world) } });
      const end = await (await other.outlive.task(exchange.task.id))?.complete();

      await expectToldOf(exchange, end);
    },
  );
});

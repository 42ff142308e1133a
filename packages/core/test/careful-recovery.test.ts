import { describe, expect, it } from 'vitest';
import { ask, patienceMs, tinyJournal, tokenAfterPatience, vanish } from './vanished-owner.ts';
import { createLatch, createWorld, never, reading, untilUnusableMs } from './world.ts';

describe('a journal', () => {
  it('that hangs does not keep the pair from the store', async () => {
    const { journal } = tinyJournal('h');
    const writing = createLatch();
    const world = await createWorld();
    await using _ = world;
    const process = world.start({
      journal: {
        ...journal,
        write() {
          writing.open();
          return never();
        },
      },
    });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    const token = task.getAccessToken(reading);
    await writing.opened;
    world.clock.skip(31_000);
    expect((await token).generation).toBe(1);
  });

  it('that cannot erase does not fail a refresh that is stored', async () => {
    const { journal } = tinyJournal('h');
    const world = await createWorld();
    await using _ = world;
    const process = world.start({
      journal: { ...journal, erase: () => Promise.reject(new Error('EIO')) },
    });
    await world.grant(process);
    const task = await world.task(process);
    world.clock.skip(untilUnusableMs);
    expect((await task.getAccessToken(reading)).generation).toBe(1);
  });
});

describe('the recovery of a vanished attempt', () => {
  it('presents nothing for a person who is stopped', async () => {
    const setting = await vanish({ at: 'before sending' });
    const { world, grantId } = setting;
    await using _ = world;
    const { token } = await ask(setting);
    world.state = 'revoked';
    world.clock.skip(patienceMs);
    await expect(token).rejects.toMatchObject({ code: 'user_state' });
    expect(world.presented(grantId)).toEqual([0]);
    world.state = 'active';
  });

  it('hands nothing out for a person who was stopped meanwhile', async () => {
    const setting = await vanish({ at: 'before sending' });
    const { world } = setting;
    await using _ = world;
    using _turning = world.issuer.fault(() => {
      world.state = 'revoked';
      return undefined;
    });
    await expect(tokenAfterPatience(setting)).rejects.toMatchObject({ code: 'user_state' });
  });
});

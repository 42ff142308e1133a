import { expect, it } from 'vitest';
import { createWorld, reading, untilDueMs } from './world.ts';

it('starts one refresh for all the calls that are answered with a due token', async () => {
  await using world = await createWorld();
  const background: Promise<void>[] = [];
  const process = world.start({ waitUntil: (work) => void background.push(work) });
  await world.grant(process);
  const task = await world.task(process, { expectedDurationMs: 3_600_000 });
  const held = await task.getAccessToken(reading);
  world.clock.skip(untilDueMs);

  const answers = Array.from({ length: 100 }, () => task.getAccessToken(reading));
  for (const { generation } of await Promise.all(answers)) expect(generation).toBe(held.generation);
  expect(background).toHaveLength(1);

  await Promise.all(background);
  expect((await task.getAccessToken(reading)).generation).toBe(held.generation + 1);
});

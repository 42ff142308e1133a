import { expect, it } from 'vitest';
import { stoppedTask } from './paused-task.ts';

it('joins a resumption that another process has just made, before the news of it has come', async () => {
  const { world, process, pause, task } = await stoppedTask();
  await using _ = world;
  await process.outlive.decide(pause.id, { decision: 'resume', by: 'root' });
  const second = world.start();
  const seen = await second.outlive.task(task.id);
  expect(seen?.status).toBe('paused');

  expect(await process.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  expect(await second.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  expect((await second.outlive.task(task.id))?.status).toBe('active');
});

import { describe, expect, it } from 'vitest';
import { pausedTask, stoppedTask } from './paused-task.ts';

describe('a decision', () => {
  it('needs a policy that says who decides', async () => {
    const { world, pause } = await pausedTask();
    await using _ = world;
    const { outlive } = world.start({ policy: { authorize: undefined } as object });
    await expect(outlive.decide(pause.id, { decision: 'resume', by: 'root' })).rejects.toThrow(
      /policy\.authorize/,
    );
  });

  it('is refused to whom the authorizer does not know, the agent, and people without the role', async () => {
    const { world, process, pause, task } = await pausedTask();
    await using _ = world;
    for (const [by, because] of [
      ['stranger', /does not know/],
      ['agent', /about itself/],
      ['guest', /none of the roles/],
      ['root', /none of the roles/],
    ] as const)
      expect(await process.outlive.decide(pause.id, { decision: 'resume', by })).toMatchObject({
        status: 'refused',
        because: expect.stringMatching(because),
      });
    expect(await process.outlive.pause(pause.id)).toEqual(pause);
    const { entries } = await process.outlive.explain(task.id);
    expect(entries.filter(({ type }) => type === 'decision-refused').map(({ by }) => by)).toEqual([
      'unknown',
      'agent',
      'guest',
      'root',
    ]);
  });

  it('about a stopped person is never that person’s, but an admin’s', async () => {
    const { world, process, pause } = await stoppedTask();
    await using _ = world;
    expect(pause.requires).toEqual(['admin']);
    for (const decision of ['resume', 'cancel'] as const)
      expect(await process.outlive.decide(pause.id, { decision, by: 'alice' })).toMatchObject({
        status: 'refused',
        because: expect.stringMatching(/stopped/),
      });
    expect(
      await process.outlive.decide(pause.id, { decision: 'resume', by: 'root' }),
    ).toMatchObject({ status: 'decided' });
  });

  it('about what cannot be undone needs two people, each in a role of their own', async () => {
    const { world, process, pause } = await pausedTask('irreversible');
    await using _ = world;
    const { outlive } = process;
    const resume = { decision: 'resume' } as const;
    expect(await outlive.decide(pause.id, { ...resume, by: 'ada' })).toMatchObject({
      status: 'waiting',
      missing: ['admin'],
    });
    expect(await outlive.decide(pause.id, { ...resume, by: 'ada' })).toMatchObject({
      status: 'refused',
      because: expect.stringMatching(/already/),
    });
    expect(await outlive.decide(pause.id, { ...resume, by: 'bob' })).toMatchObject({
      status: 'refused',
    });
    expect(await outlive.resume(pause.id)).toMatchObject({
      status: 'waiting',
      because: 'waits for admin',
    });
    const decided = await outlive.decide(pause.id, { ...resume, by: 'root', comment: 'go on' });
    expect(decided).toMatchObject({
      status: 'decided',
      pause: {
        decision: {
          decision: 'resume',
          comment: 'go on',
          by: [
            { approver: { id: 'ada' }, as: 'user' },
            { approver: { id: 'root' }, as: 'admin' },
          ],
        },
      },
    });
  });

  it('to cancel ends the task, whoever of those asked says so', async () => {
    const { world, process, pause, task } = await pausedTask('irreversible');
    await using _ = world;
    expect(
      await process.outlive.decide(pause.id, { decision: 'cancel', by: 'root' }),
    ).toMatchObject({ status: 'decided', pause: { status: 'cancelled' } });
    expect((await world.start().outlive.task(task.id))?.status).toBe('cancelled');
    expect(await process.outlive.resume(pause.id)).toEqual({
      status: 'ended',
      taskStatus: 'cancelled',
    });
  });

  it('is made once, however many people decide at the same time in however many processes', async () => {
    const { world, process, pause } = await pausedTask();
    await using _ = world;
    const processes = [process, world.start(), world.start()];
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, at) =>
        processes[at % 3]?.outlive.decide(pause.id, {
          decision: at % 2 === 0 ? 'resume' : 'cancel',
          by: at % 5 === 0 ? 'alice' : 'bob',
        }),
      ),
    );
    const decided = results.filter((result) => result?.status === 'decided');
    expect(decided).toHaveLength(1);
    expect(results.filter((result) => result?.status === 'closed')).toHaveLength(29);
    expect(await process.outlive.pause(pause.id)).toMatchObject({
      decision: decided[0]?.pause.decision,
    });
  });

  it('comes too late once the task has ended', async () => {
    const { world, process, pause, task } = await pausedTask();
    await using _ = world;
    await task.cancel('enough');
    expect(
      await process.outlive.decide(pause.id, { decision: 'resume', by: 'alice' }),
    ).toMatchObject({ status: 'closed' });
    expect(await process.outlive.resume(pause.id)).toEqual({
      status: 'ended',
      taskStatus: 'cancelled',
    });
  });

  it('asks the app’s own policy who must confirm', async () => {
    const { world, pause } = await pausedTask('read', {
      policy: {
        escalate: ({ effect, reason }) => (effect === 'read' && reason ? ['manager'] : []),
      },
    });
    await using _ = world;
    expect(pause.requires).toEqual(['manager']);
  });
});

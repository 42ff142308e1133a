import { describe, expect, it } from 'vitest';
import type { EscalationContext, EscalationPolicy } from '../src/index.ts';
import { pausedTask, stoppedTask, taskWithCall } from './paused-task.ts';
import { alice } from './world.ts';

const hourMs = 3_600_000;
const resume = { decision: 'resume' } as const;

/** Alice first, then an admin, then whoever operates the app. */
const ladder: EscalationPolicy = () => ({
  steps: [
    { roles: ['user'], forMs: hourMs },
    { roles: ['admin'], forMs: 2 * hourMs },
    { roles: ['operator'], forMs: hourMs },
  ],
});

describe('a ladder', () => {
  it('asks one step after the other, each for its own time, and ends with the last', async () => {
    const { world, process, pause, task } = await pausedTask('read', {
      policy: { escalate: ladder },
    });
    await using _ = world;
    const { outlive } = process;
    expect(pause).toMatchObject({ requires: ['user'], step: 0, status: 'open' });

    world.clock.skip(hourMs - 60_000);
    expect(await outlive.maintain()).toMatchObject({ pausesEscalated: 0, pausesExpired: 0 });
    world.clock.skip(60_000);
    expect(await outlive.maintain()).toMatchObject({ pausesEscalated: 1 });
    expect(await outlive.pause(pause.id)).toMatchObject({ requires: ['admin'], step: 1 });
    world.clock.skip(2 * hourMs);
    expect(await outlive.maintain()).toMatchObject({ pausesEscalated: 1 });
    world.clock.skip(hourMs);
    expect(await outlive.maintain()).toMatchObject({ pausesEscalated: 0, pausesExpired: 1 });

    expect(await outlive.pause(pause.id)).toMatchObject({ status: 'expired' });
    expect((await world.start().outlive.task(task.id))?.status).toBe('expired');
    const { entries, text } = await outlive.explain(task.id);
    expect(entries.flatMap(({ type, outcome }) => (/^escal/.test(type) ? [outcome] : []))).toEqual([
      'admin',
      'operator',
    ]);
    expect(text).toContain('now asks admin: user did not decide in time');
  });

  it('begins a step once, whoever maintains and however many at the same time', async () => {
    const { world, process, pause, task } = await pausedTask('read', {
      policy: { escalate: ladder },
    });
    await using _ = world;
    const processes = [process, world.start(), world.start(), world.start()];
    world.clock.skip(hourMs);
    const reports = await Promise.all(
      [...processes, ...processes].map(({ outlive }) => outlive.maintain()),
    );
    expect(reports.reduce((sum, { pausesEscalated }) => sum + pausesEscalated, 0)).toBe(1);
    expect(await process.outlive.pause(pause.id)).toMatchObject({ step: 1 });
    await Promise.all(processes.map(({ outlive }) => outlive.close()));
    const { entries } = await world.start().outlive.explain(task.id);
    expect(entries.filter(({ type }) => type === 'escalation-advanced')).toHaveLength(1);
  });

  it('gives whoever is asked late as long as anybody, should nobody have maintained meanwhile', async () => {
    const { world, process, pause } = await pausedTask('read', { policy: { escalate: ladder } });
    await using _ = world;
    world.clock.skip(10 * hourMs);
    await process.outlive.maintain();
    expect(await process.outlive.pause(pause.id)).toMatchObject({ step: 1, status: 'open' });
    world.clock.skip(2 * hourMs - 60_000);
    await process.outlive.maintain();
    expect(await process.outlive.pause(pause.id)).toMatchObject({ step: 1, status: 'open' });
  });

  it('takes the word of a step that has begun, also where nobody maintains, and of no later one', async () => {
    const { world, process, pause } = await pausedTask('read', { policy: { escalate: ladder } });
    await using _ = world;
    const { outlive } = process;
    expect(await outlive.decide(pause.id, { ...resume, by: 'root' })).toMatchObject({
      status: 'refused',
      because: 'this person is not asked yet',
    });
    expect(await outlive.decide(pause.id, { decision: 'cancel', by: 'root' })).toMatchObject({
      status: 'refused',
    });
    world.clock.skip(hourMs);
    expect(await outlive.decide(pause.id, { ...resume, by: 'ops' })).toMatchObject({
      status: 'refused',
      because: 'this person is not asked yet',
    });
    expect(await outlive.decide(pause.id, { ...resume, by: 'root' })).toMatchObject({
      status: 'decided',
      pause: { decision: { by: [{ approver: { id: 'root' }, as: 'admin' }] } },
    });
  });

  it('lets who was asked before answer still', async () => {
    const { world, process, pause } = await pausedTask('read', { policy: { escalate: ladder } });
    await using _ = world;
    world.clock.skip(hourMs);
    await process.outlive.maintain();
    expect(await process.outlive.decide(pause.id, { ...resume, by: 'alice' })).toMatchObject({
      status: 'decided',
      pause: { decision: { by: [{ as: 'user' }] } },
    });
  });

  it('takes no word after its end, also where nobody maintains', async () => {
    const { world, process, pause, task } = await pausedTask('read', {
      policy: { escalate: () => ({ steps: [{ roles: ['user'], forMs: hourMs }] }) },
    });
    await using _ = world;
    world.clock.skip(hourMs);
    expect(await process.outlive.decide(pause.id, { ...resume, by: 'alice' })).toMatchObject({
      status: 'closed',
      pause: { status: 'expired' },
    });
    expect((await world.start().outlive.task(task.id))?.status).toBe('expired');
  });

  it('keeps a decision that was made in time, however late it is resumed within the life of the pause', async () => {
    const { world, process, pause } = await pausedTask('read', {
      policy: { escalate: () => ({ steps: [{ roles: ['user'], forMs: hourMs }] }) },
    });
    await using _ = world;
    await process.outlive.decide(pause.id, { ...resume, by: 'alice' });
    world.clock.skip(5 * hourMs);
    await process.outlive.maintain();
    expect(await process.outlive.resume(pause.id)).toMatchObject({ status: 'resumed' });
  });

  it('counts a confirmation of an earlier step in a later one that asks the same role', async () => {
    const { world, process, pause } = await pausedTask('irreversible', {
      policy: {
        escalate: () => ({
          steps: [{ roles: ['user', 'admin'], forMs: hourMs }, { roles: ['admin'] }],
        }),
      },
    });
    await using _ = world;
    const { outlive } = process;
    expect(await outlive.decide(pause.id, { ...resume, by: 'root' })).toMatchObject({
      status: 'waiting',
      missing: ['user'],
    });
    world.clock.skip(hourMs);
    expect(await outlive.maintain()).toMatchObject({ pausesEscalated: 1 });
    expect(await outlive.pause(pause.id)).toMatchObject({
      status: 'decided',
      decision: { decision: 'resume', by: [{ approver: { id: 'root' } }] },
    });
  });
});

describe('a policy', () => {
  it('knows the very action: tool, resource, scopes, what it was called with, for whom, and by which agent', async () => {
    const asked: EscalationContext[] = [];
    const { world, task } = await pausedTask('reversible', {
      policy: {
        escalate(context) {
          asked.push(context);
          return ['user'];
        },
      },
    });
    await using _ = world;
    expect(asked).toMatchObject([
      {
        effect: 'reversible',
        reason: { code: 'step_up_required' },
        call: {
          toolName: 'items',
          toolCallId: 'c1',
          resource: 'api',
          scopes: ['write'],
          input: {},
        },
        task: { id: task.id, principal: alice, agent: 'agent' },
      },
    ]);
  });

  it('does not have what a tool was called with stored', async () => {
    const { world, task } = await pausedTask();
    await using _ = world;
    const stored = await world.start().outlive.task(task.id);
    expect(Object.keys(stored?.currentPause?.call ?? {}).toSorted()).toEqual([
      'effect',
      'resource',
      'scopes',
      'toolCallId',
      'toolName',
    ]);
  });

  it('that lets nobody go on ends the task as failed, and the run with the error of the call', async () => {
    const { world, process, task, run, call } = await taskWithCall('read', {
      policy: { escalate: () => 'fail' },
    });
    await using _ = world;
    world.turn('revoked');
    await expect(call.principal.fetch('items')).rejects.toMatchObject({
      code: 'user_state',
      ref: undefined,
    });
    expect(await run.finish()).toMatchObject({ status: 'failed', error: { code: 'user_state' } });
    expect((await world.start().outlive.task(task.id))?.status).toBe('failed');
    const { entries } = await process.outlive.explain(task.id);
    expect(entries.find(({ type }) => type === 'task-failed')).toMatchObject({
      reason: 'user_state: revoked',
    });
  });

  it.each<[string, EscalationPolicy]>([
    [
      'throws',
      () => {
        throw new Error('no such team');
      },
    ],
    ['answers a role that is none', () => ['ceo'] as unknown as ['user']],
    ['answers no steps', () => ({ steps: [] })],
    [
      'answers an endless step before another',
      () => ({ steps: [{ roles: ['user'] }, { roles: ['admin'] }] }),
    ],
    ['answers a step that asks nobody', () => ({ steps: [{ roles: [] }] })],
  ])('that %s leaves it to the operator, and the log tells', async (_what, escalate) => {
    const { world, process, pause, task } = await pausedTask('read', { policy: { escalate } });
    await using _ = world;
    expect(pause.requires).toEqual(['operator']);
    const { entries } = await process.outlive.explain(task.id);
    expect(entries.map(({ type }) => type)).toContain('escalation-failed');
  });
});

describe('the default policy', () => {
  it.each([
    ['read', [['user']]],
    ['reversible', [['user'], ['admin']]],
    ['irreversible', [['user', 'admin']]],
  ] as const)('asks for a call that is %s: %j', async (effect, steps) => {
    const { world, pause } = await pausedTask(effect);
    await using _ = world;
    expect(pause.steps.map(({ roles }) => roles)).toEqual(steps);
  });

  it('never asks a person who was stopped', async () => {
    const { world, pause } = await stoppedTask();
    await using _ = world;
    expect(pause.steps.flatMap(({ roles }) => roles)).toEqual(['admin']);
  });
});

describe('the person a task acts for', () => {
  it.each(['revoked', 'paused', 'step_up', 'unknown'] as const)(
    'decides nothing about it while the gate says %s, whatever it was paused for',
    async (state) => {
      const { world, process, pause } = await pausedTask();
      await using _ = world;
      world.turn(state);
      for (const decision of ['resume', 'cancel'] as const)
        expect(await process.outlive.decide(pause.id, { decision, by: 'alice' })).toMatchObject({
          status: 'refused',
          because: expect.stringContaining(state),
        });
      world.turn('active');
      expect(await process.outlive.decide(pause.id, { ...resume, by: 'alice' })).toMatchObject({
        status: 'decided',
      });
    },
  );

  it('is told to the authorizer, with the agent: whose manager somebody is only the app knows', async () => {
    const seen: unknown[] = [];
    const { world, process, pause, task } = await pausedTask('read', {
      policy: {
        authorize({ by, task: about }) {
          seen.push(about);
          return { id: by, roles: ['user'] };
        },
      },
    });
    await using _ = world;
    await process.outlive.decide(pause.id, { ...resume, by: 'alice' });
    expect(seen).toEqual([{ id: task.id, principal: alice, agent: 'agent' }]);
  });
});

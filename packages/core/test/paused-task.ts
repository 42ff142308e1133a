import { expect } from 'vitest';
import type { AgentRun, Effect, GuardedCall, Pause, Requirement, Task } from '../src/index.ts';
import {
  createWorld,
  deleting,
  type Process,
  type ProcessOptions,
  reading,
  type World,
  writing,
} from './world.ts';

const requirementOf: Readonly<Record<Effect, Requirement>> = {
  read: reading,
  reversible: writing,
  irreversible: deleting,
};

export interface Setting {
  readonly world: World;
  readonly process: Process;
  readonly task: Task;
  readonly run: AgentRun;
  readonly call: GuardedCall;
}

/** A task with one call that is about to be made. */
export async function taskWithCall(
  effect: Effect = 'read',
  options: ProcessOptions = {},
): Promise<Setting> {
  const world = await createWorld({ process: options });
  const process = world.start();
  await world.grant(process);
  const task = await world.task(process);
  const run = task.startRun();
  const call = run.call({
    requirement: requirementOf[effect],
    toolName: 'items',
    toolCallId: 'c1',
    input: {},
  });
  return { world, process, task, run, call };
}

/** A task that was paused because the API wants more than it was given; nobody was stopped. */
export async function pausedTask(effect: Effect = 'read', options: ProcessOptions = {}) {
  const setting = await taskWithCall(effect, options);
  setting.world.api.requireStepUp = { acrValues: ['mfa'] };
  await expect(
    setting.call.principal.fetch('items', { method: methodOf(effect) }),
  ).rejects.toMatchObject({ code: 'step_up_required' });
  setting.world.api.requireStepUp = undefined;
  return { ...setting, pause: pauseOf(await setting.run.finish()) };
}

/** A task that was paused because alice was revoked; she is active again by now. */
export async function stoppedTask() {
  const setting = await taskWithCall();
  setting.world.turn('revoked');
  await expect(setting.call.principal.fetch('items')).rejects.toMatchObject({ code: 'user_state' });
  setting.world.state = 'active';
  return { ...setting, pause: pauseOf(await setting.run.finish()) };
}

function pauseOf(end: { readonly status: string; readonly pause?: Pause }): Pause {
  if (end.pause === undefined) throw new Error(`the run is not paused but ${end.status}`);
  return end.pause;
}

function methodOf(effect: Effect): string {
  return { read: 'GET', reversible: 'POST', irreversible: 'DELETE' }[effect];
}

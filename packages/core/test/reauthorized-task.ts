import { expect } from 'vitest';
import type { Effect, Outlive, Pause, StartConnection, Task } from '../src/index.ts';
import {
  alice,
  createWorld,
  deleting,
  type Process,
  type ProcessOptions,
  reading,
  type World,
  writing,
} from './world.ts';

export const redirectUri = 'http://127.0.0.1:9999/callback';
export const session = 'browser session 1';
export const scopes = ['openid', 'offline_access', 'read', 'write', 'admin'];
const requirementOf = { read: reading, reversible: writing, irreversible: deleting };

export interface DeadGrant {
  readonly world: World;
  readonly process: Process;
  readonly outlive: Outlive;
  readonly task: Task;
  /** Of the same person; it has not met with the dead grant yet. */
  readonly second: Task;
  readonly pause: Pause;
}

/** A task of alice's that waits, since her grant is dead. Her account at the issuer is known to be `alice`. */
export async function taskWithDeadGrant(
  effect: Effect = 'read',
  options: ProcessOptions = {},
): Promise<DeadGrant> {
  const world = await createWorld({
    process: { ...options, provider: { redirectUri, ...options.provider } },
  });
  const process = world.start();
  const grantId = await world.grant(process, { issuerSubject: 'alice' });
  const task = await world.task(process);
  const second = await world.task(process);
  await killGrant(world, grantId);
  const pause = await pausedByDeadGrant(world, task, effect);
  return { world, process, outlive: process.outlive, task, second, pause };
}

/** Makes the issuer refuse the grant, as if its user had disconnected the app. */
async function killGrant(world: World, grantId: string): Promise<void> {
  const { refreshToken } = await world.grantRecord();
  await fetch(`${world.issuer.url}/token/revocation`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa('agent:agent-secret')}` },
    body: new URLSearchParams({ token: refreshToken?.reveal() ?? '' }),
  });
  expect(world.issuer.grant(grantId).alive).toBe(false);
}

/** Lets a call of `task` find out that its grant is dead. */
export async function pausedByDeadGrant(
  world: World,
  task: Task,
  effect: Effect = 'read',
): Promise<Pause> {
  world.clock.skip(600_000);
  const run = task.startRun();
  const call = run.call({
    requirement: requirementOf[effect],
    toolName: 'items',
    toolCallId: 'c1',
    input: {},
  });
  await expect(
    call.principal.fetch('items', { method: effect === 'read' ? 'GET' : 'POST' }),
  ).rejects.toMatchObject({ code: 'reauthorization_required' });
  const end = await run.finish();
  if (end.status !== 'paused') throw new Error(`the run is ${end.status}`);
  return end.pause;
}

/** Starts a connection of alice's and walks it through the issuer's pages. Answers where the browser comes back to. */
export async function walk(
  { world, outlive }: Pick<DeadGrant, 'world' | 'outlive'>,
  more: Partial<StartConnection> & { readonly as?: string } = {},
): Promise<URL> {
  const { as = 'alice', ...start } = more;
  const { url } = await outlive.connect.start({
    provider: 'p',
    principal: alice,
    scopes,
    session,
    parameters: { prompt: 'consent' },
    ...start,
  });
  return world.issuer.authorize(url, { subject: as });
}

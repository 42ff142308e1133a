import { setTimeout } from 'node:timers/promises';
import {
  type AccessTokenSlot,
  type AuditEvent,
  alwaysActive,
  type Clock,
  createOutlive,
  type Outlive,
  type Requirement,
  type Store,
  type Task,
} from '@outlive/core';
import type { SeededTokens } from './issuer-process.ts';
import { benchKeys } from './keys.ts';
import { idleIssuer } from './task.ts';

/** A runtime that acts for many people, each with a grant and a task. */
export interface ManyGrants extends AsyncDisposable {
  readonly tasks: readonly Task[];
  readonly requirement: Requirement;
}

const hourMs = 3_600_000;
/** How many are prepared before the audit log has to catch up: its queue is bounded. */
const atOnce = 50;

/** Imports a grant for each of `tokens`, and starts a task on it. */
export async function startManyGrants(
  store: Store,
  tokens: readonly SeededTokens[],
  issuer: string = idleIssuer,
): Promise<ManyGrants> {
  let audited = 0;
  const { outlive, requirement } = createRuntime(store, issuer, {
    audited({ type }) {
      if (type === 'delegation-minted') audited += 1;
    },
  });
  const tasks: Task[] = [];
  for (let from = 0; from < tokens.length; from += atOnce) {
    while (audited < tasks.length) await setTimeout(1);
    tasks.push(
      ...(await Promise.all(
        tokens.slice(from, from + atOnce).map(async (grant, at) => {
          const principal = { subject: `user${from + at}` };
          await outlive.grants.import({ provider: 'issuer', principal, tokens: grant });
          return outlive.startTask({
            principal,
            agent: 'bench',
            requirements: [requirement],
            expectedDurationMs: hourMs,
          });
        }),
      )),
    );
  }
  return { tasks, requirement, [Symbol.asyncDispose]: () => outlive[Symbol.asyncDispose]() };
}

/** The same in a process that finds them in the store: holds the tasks, and has met every token. */
export async function findManyGrants(
  store: Store,
  taskIds: readonly string[],
  clock: Clock,
): Promise<ManyGrants> {
  const { outlive, requirement } = createRuntime(store, idleIssuer, { clock });
  const tasks: Task[] = [];
  for (const id of taskIds) {
    const task = await outlive.task(id);
    if (task === undefined) throw new Error(`there is no task ${id}`);
    await task.getAccessToken(requirement);
    tasks.push(task);
  }
  return { tasks, requirement, [Symbol.asyncDispose]: () => outlive[Symbol.asyncDispose]() };
}

/** Has the token of one task replaced, as if the API had refused it. */
export function refreshedToken(
  { requirement }: ManyGrants,
  task: Task,
  rejectedGeneration: number,
): Promise<AccessTokenSlot> {
  return task.getAccessToken(requirement, { rejectedGeneration });
}

interface RuntimeParts {
  readonly audited?: (event: AuditEvent) => void;
  readonly clock?: Clock;
}

function createRuntime(
  store: Store,
  issuer: string,
  { audited, clock }: RuntimeParts,
): { outlive: Outlive; requirement: Requirement } {
  const outlive = createOutlive({
    store,
    keys: benchKeys,
    providers: { issuer: { issuer, clientId: 'basic', clientSecret: 'secret' } },
    resources: {
      billing: { provider: 'issuer', baseUrl: 'http://127.0.0.1:9/', scopes: ['read'] },
    },
    gate: alwaysActive,
    ...(clock === undefined ? {} : { clock }),
    ...(audited === undefined ? {} : { audit: { sinks: [{ name: 'bench', write: audited }] } }),
  });
  const requirement: Requirement = {
    resource: outlive.resources.billing,
    scopes: ['read'],
    effect: 'read',
  };
  return { outlive, requirement };
}

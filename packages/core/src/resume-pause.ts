import type { CallRecord } from './call-record.ts';
import { sleep } from './clock.ts';
import { tellDeathOf } from './grant-death.ts';
import type { GrantRecord } from './grant-record.ts';
import { keepDeadlines } from './pause-deadlines.ts';
import type { Pause } from './pause-record.ts';
import { missingRoles } from './pause-steps.ts';
import type { PauseContext } from './pauses.ts';
import { randomId } from './random-id.ts';
import type { Runtime } from './runtime.ts';
import type { TaskRecord } from './task-record.ts';
import { hasEnded } from './task-state.ts';

/** What became of an attempt to resume. */
export type Resumption =
  | { readonly status: 'resumed'; readonly taskId: string }
  /** What the task waits for has not happened yet. Nothing was started. */
  | { readonly status: 'waiting'; readonly pause: Pause; readonly because: string }
  | { readonly status: 'ended'; readonly taskStatus: TaskRecord['status'] };

/** How a task is resumed. */
export interface ResumePause {
  /**
   * Names of the resources that the calls need which will run again. Default: all of the task's. Where a person has
   * declined the calls that waited, nobody needs their grants any more.
   */
  readonly resources?: readonly string[];
}

/**
 * Makes a decided task active again, once, whoever asks. The gate and the grants are asked first: while they
 * still say no, the task stays paused and may be resumed later.
 */
export async function resumePause(
  context: PauseContext,
  pauseId: string,
  { resources }: ResumePause = {},
): Promise<Resumption> {
  const { runtime, tasks, pauses } = context;
  const me = randomId();
  for (;;) {
    await keepDeadlines(context, pauseId);
    const { version, value: pause } = await pauses.existing(pauseId);
    const task = await pauses.taskOf(pause);
    if (hasEnded(task.status)) return { status: 'ended', taskStatus: task.status };
    switch (pause.status) {
      case 'open':
        return {
          status: 'waiting',
          pause,
          because: `waits for ${missingRoles(pause).join(', ')}`,
        };
      case 'cancelled':
      case 'expired': {
        // Whoever closed the pause may have died before it could end the task.
        const event = pause.status === 'cancelled' ? 'cancel' : 'expire';
        const { status } = await tasks.end(task.id, event, 'its pause was closed');
        return { status: 'ended', taskStatus: status };
      }
      case 'consumed':
        return standing(context, task, pause);
      case 'claimed':
        if (!(await standsStill(context, pauseId, version))) continue;
        break;
      case 'decided':
        break;
    }
    const obstacle = await obstacleOf(runtime, task, resources);
    if (obstacle !== undefined) return { status: 'waiting', pause, because: obstacle };
    const claimed: Pause = {
      ...pause,
      status: 'claimed',
      claim: { id: me, at: runtime.clock.now() },
    };
    if (!(await pauses.write(claimed, version))) continue;
    tasks.audit(task, { type: 'pause-claimed', pauseId });
    return consume(context, claimed, version + 1, task);
  }
}

async function consume(
  context: PauseContext,
  pause: Pause,
  version: number,
  task: TaskRecord,
): Promise<Resumption> {
  const { tasks, pauses } = context;
  if (task.pause?.id === pause.id) {
    await settleDoubts(context, task, pause);
    const { moved, record } = await tasks.move(task.id, 'resume', {
      only: (current) => current.pause?.id === pause.id,
    });
    if (moved) tasks.audit(record, { type: 'task-resumed', pauseId: pause.id });
  }
  const consumed: Pause = { ...pause, status: 'consumed' };
  await pauses.write(consumed, version);
  return standing(context, task, consumed);
}

/** How the task stands after the resumption, also if another process made it: its news may not be here yet. */
async function standing(
  { tasks }: PauseContext,
  known: TaskRecord,
  pause: Pause,
): Promise<Resumption> {
  const task = (await tasks.read(known.id)) ?? known;
  if (task.status === 'active') return { status: 'resumed', taskId: task.id };
  if (task.status === 'paused')
    return {
      status: 'waiting',
      pause: task.pause ?? pause,
      because: 'the task was paused again',
    };
  return { status: 'ended', taskStatus: task.status };
}

/** Why the task may not go on yet, asked of the gate and of each grant. */
async function obstacleOf(
  runtime: Runtime,
  task: TaskRecord,
  resources: readonly string[] | undefined,
): Promise<string | undefined> {
  const { userStates, killSwitches, grants, records, providers, audit } = runtime;
  if (audit.obstacle !== undefined) return `the audit log cannot be written: ${audit.obstacle}`;
  for (const { provider } of task.authorities) {
    const scope = { agent: task.agent, tenant: task.principal.tenant, provider };
    const stopped = await killSwitches.check(scope);
    if (stopped !== undefined) return `an operator has stopped the ${stopped.source}`;
  }
  const verdict = await userStates.check(task.principal, task.subject, 'resume');
  if (verdict.state !== 'active') return `${verdict.source} says ${verdict.state}`;
  for (const authority of task.authorities) {
    if (resources?.includes(authority.resource) === false) continue;
    const provider = providers.get(authority.provider)?.grantedBy ?? authority.provider;
    const key = await grants.key({ provider, principal: task.principal, account: task.account });
    const grant = await records.get<GrantRecord>(key);
    await tellDeathOf(runtime, key, grant?.value);
    if (grant === undefined || grant.value.state.status === 'dead')
      return `the connection to ${provider} must be authorized again`;
  }
  return undefined;
}

/** Only people's word settles a call with an unknown outcome: it may run again, or it has happened and never does. */
async function settleDoubts(context: PauseContext, task: TaskRecord, pause: Pause): Promise<void> {
  const { runtime, tasks, ledger } = context;
  const { rerun = [], happened = [], by = [] } = pause.decision ?? {};
  if (rerun.length + happened.length === 0) return;
  for await (const { key } of runtime.records.list({
    kind: 'call',
    status: 'unknown',
    taskId: task.id,
  })) {
    const call = (await runtime.records.get<CallRecord>(key))?.value;
    if (call === undefined) continue;
    const { runId, toolCallId, toolName, resource, scopes, effect } = call;
    const isDone = happened.includes(toolCallId);
    if (!isDone && !rerun.includes(toolCallId)) continue;
    let settled = false;
    await ledger.change({ task, runId, toolCallId }, (current) => {
      settled = current?.status === 'unknown';
      if (current?.status !== 'unknown') return undefined;
      return isDone
        ? { ...current, status: 'done', happened: true }
        : { ...current, status: 'refused' };
    });
    if (settled)
      tasks.audit(task, {
        type: 'tool-call-settled',
        pauseId: pause.id,
        ...{ runId, toolCallId, toolName, resource, scopes, effect },
        outcome: isDone ? 'done' : 'refused',
        reason: isDone ? 'people say that it happened' : 'people say that it may run again',
        by: by.map(({ approver }) => approver.id).join(', '),
      });
  }
}

/** Whether somebody's claim stayed as it is for the whole wait on this process's clock. */
async function standsStill(
  context: PauseContext,
  pauseId: string,
  version: number,
): Promise<boolean> {
  const { clock, policy } = context.runtime;
  const untilMs = clock.monotonicMs() + policy.claimWaitMs;
  while (clock.monotonicMs() < untilMs) {
    await sleep(clock, Math.min(100, policy.claimWaitMs));
    if ((await context.pauses.existing(pauseId)).version !== version) return false;
  }
  return true;
}

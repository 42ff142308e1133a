import type { StoredCall, Task } from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';

/** Calls of a run that wait, and those among them that a person refused. */
export interface DeclinedCalls {
  readonly runId: string;
  readonly calls: readonly UnansweredCall[];
  readonly declined: ReadonlySet<string>;
}

/**
 * What the calls need that will run again: no other connection of the task is waited for. Nothing where that is not
 * known, or the task waits as a whole: then all of its connections are.
 */
export async function neededResources(
  task: Task,
  { runId, calls, declined }: DeclinedCalls,
): Promise<readonly string[] | undefined> {
  if (calls.length === 0) return undefined;
  const toolCallIds = calls
    .map(({ toolCallId }) => toolCallId)
    .filter((toolCallId) => !declined.has(toolCallId));
  const stored = await task.storedCalls({ runId, toolCallIds });
  return stored.length === toolCallIds.length ? stored.map(({ resource }) => resource) : undefined;
}

/** What those of the calls need that wait, whatever became of the others. */
export async function resourcesOfWaiting(
  task: Task,
  { runId, toolCallIds }: { readonly runId: string; readonly toolCallIds: readonly string[] },
): Promise<readonly string[]> {
  const stored = await task.storedCalls({ runId, toolCallIds });
  return stored.filter(waits).map(({ resource }) => resource);
}

/** Whether a call was stopped, and nobody has run it since. */
export function waits({ status }: StoredCall): boolean {
  return status === 'refused' || status === 'unknown' || status === 'suspended';
}

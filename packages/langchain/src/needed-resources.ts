import type { Task } from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';

/** Calls of a run that wait, and those among them that a person refused. */
export interface DeclinedCalls {
  readonly runId: string;
  readonly calls: readonly UnansweredCall[];
  readonly declined: ReadonlySet<string>;
}

/**
 * What the calls need that will run again: a connection that only a declined call needs is not waited for. Nothing
 * where that is not known, or no call was declined: then all of the task's connections are.
 */
export async function neededResources(
  task: Task,
  { runId, calls, declined }: DeclinedCalls,
): Promise<readonly string[] | undefined> {
  const ids = calls.map(({ toolCallId }) => toolCallId);
  const toolCallIds = ids.filter((toolCallId) => !declined.has(toolCallId));
  if (toolCallIds.length === ids.length) return undefined;
  const stored = await task.storedCalls({ runId, toolCallIds });
  return stored.length === toolCallIds.length ? stored.map(({ resource }) => resource) : undefined;
}

import type { Task } from '@outlive/core';
import { TaskBinding } from './task-binding.ts';

/** What LangChain and LangGraph pass to a tool, as far as the adapter looks at it. */
export interface ToolRuntimeView {
  readonly context?: unknown;
  readonly configurable?: Readonly<Record<string, unknown>>;
  readonly state?: unknown;
  readonly toolCallId?: string;
  readonly toolCall?: { readonly id?: string; readonly args?: unknown };
  /** There is one inside of a graph only. */
  readonly executionInfo?: unknown;
}

/** The context with which an agent is invoked: the task that its tools act for. It is explicit, never ambient. */
export interface TaskContext {
  readonly task?: Task;
}

/** The task of an invocation, from its explicit context. */
export function bindingOf(context: unknown): TaskBinding | undefined {
  if (typeof context !== 'object' || context === null || !('task' in context)) return undefined;
  return TaskBinding.of(context.task);
}

/** How many graphs a node is in: 1 for the outermost. */
export function depthOf(configurable: Readonly<Record<string, unknown>> | undefined): number {
  const namespace = configurable?.['checkpoint_ns'];
  return typeof namespace === 'string' ? namespace.split('|').length : 1;
}

/** The thread of an invocation, if LangGraph keeps its conversation in one. */
export function threadOf(
  configurable: Readonly<Record<string, unknown>> | undefined,
): string | undefined {
  const thread = configurable?.['thread_id'];
  return typeof thread === 'string' ? thread : undefined;
}

import type { ModelMessage } from 'ai';

/** `execute` of any tool, seen from the outside. It may return a value, a promise or an async iterable. */
export type Execute = (input: unknown, options: ExecuteOptions) => unknown;

/** What the adapter reads of the SDK's execute options. */
export interface ExecuteOptions {
  readonly toolCallId: string;
  /** The conversation up to the call; for a call that is run again, with the approvals in it. */
  readonly messages?: readonly ModelMessage[];
  readonly abortSignal?: AbortSignal;
  readonly principal?: unknown;
}

/** A tool that this process executes. */
export interface ExecutableTool {
  readonly execute: Execute;
  readonly needsApproval?: boolean | ((input: unknown, options: ExecuteOptions) => unknown);
}

/** Whether this process executes the tool: client-side and provider-executed tools have no `execute`. */
export function isExecutable(tool: object): tool is ExecutableTool {
  return 'execute' in tool && typeof tool.execute === 'function';
}

/** Whether a tool's answer is streamed. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/**
 * Whether calling `execute` gives an async iterable, known without calling it.
 *
 * The SDK looks at what `execute` returns, before awaiting it; a wrapper that has to wait for something first
 * must know beforehand what to return.
 */
export function isAsyncGeneratorFunction(execute: Execute): boolean {
  return Object.prototype.toString.call(execute) === '[object AsyncGeneratorFunction]';
}

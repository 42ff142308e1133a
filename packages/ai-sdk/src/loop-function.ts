import { ConfigurationError } from '@outlive/core';

/** `generateText` or `streamText`, seen from the outside. */
export type LoopFunction = (settings: object) => unknown;

/** Whether a target is `generateText`, `streamText` or a function like them. */
export function isLoopFunction(target: unknown): target is LoopFunction {
  return typeof target === 'function';
}

/** Whether what a loop function returned is awaited; else it is a stream. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}

/** What is said when a target is neither a function nor an agent. */
export function notRunnable(caller: string, target: unknown): ConfigurationError {
  return new ConfigurationError(
    `${caller}: expected generateText, streamText or an agent, got ${target === null ? 'null' : typeof target}`,
    ['target'],
  );
}

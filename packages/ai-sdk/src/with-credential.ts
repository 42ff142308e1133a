import {
  AuthError,
  ConfigurationError,
  markRequirement,
  type PrincipalHandle,
  type Requirement,
  type ResourceInput,
} from '@outlive/core';
import type {
  AnyTool,
  CredentialTool,
  CredentialToolDefinition,
  FinishedTool,
} from './credential-tool.ts';
import {
  type Execute,
  type ExecuteOptions,
  isAsyncGeneratorFunction,
  isExecutable,
} from './execute.ts';

/**
 * Defines a tool that acts for the principal of the task it runs in.
 *
 * The tool is data: it names what it needs and holds no credential. `withTask` binds it when a task runs; without a
 * task its calls are refused with the AuthError `no_task`.
 *
 * @throws {ConfigurationError} when the tool is not executed by this process (client-side or provider-executed).
 */
export function withCredential<const R extends ResourceInput, Input, Output>(
  requirement: Requirement<R>,
  definition: CredentialToolDefinition<Input, Output>,
): CredentialTool<Input, Output>;
/**
 * Guards an existing tool (`tool()`, `dynamicTool()`, MCP); its type is unchanged. Inside it, `principalOf(options)`
 * is the principal.
 *
 * @throws {ConfigurationError} when the tool is not executed by this process (client-side or provider-executed).
 */
export function withCredential<const R extends ResourceInput, T extends AnyTool>(
  requirement: Requirement<R>,
  tool: T & FinishedTool<T>,
): T;
// The first overload again: TypeScript 7 explains a failed call by its last overload, and definitions are where
// mistakes are made.
/** Defines a tool that acts for the principal of the task it runs in. */
export function withCredential<const R extends ResourceInput, Input, Output>(
  requirement: Requirement<R>,
  definition: CredentialToolDefinition<Input, Output>,
): CredentialTool<Input, Output>;
export function withCredential(requirement: Requirement, tool: object): unknown {
  return guardedTool(requirement, tool, 'withCredential: tool');
}

/** The tool with its requirement. `place` says where it was given, for the error. */
export function guardedTool(requirement: Requirement, tool: object, place: string): object {
  if (!isExecutable(tool)) throw notExecutable(tool, place);
  return markRequirement({ ...tool, execute: needsPrincipal(tool.execute) }, requirement);
}

/**
 * The principal of a call, inside an existing tool that was guarded with `withCredential`.
 *
 * @param options what the tool's `execute` received.
 * @throws {AuthError} `no_task` when the call is not part of a task.
 */
export function principalOf(options: object): PrincipalHandle {
  if (hasPrincipal(options)) return options.principal;
  throw new AuthError('no_task');
}

function hasPrincipal(options: object): options is { readonly principal: PrincipalHandle } {
  return (
    'principal' in options && typeof options.principal === 'object' && options.principal !== null
  );
}

/** Keeps the shape of `execute`: a generator refuses when it is first read, anything else rejects. */
function needsPrincipal(execute: Execute): Execute {
  if (isAsyncGeneratorFunction(execute)) {
    return async function* (input: unknown, options: ExecuteOptions): AsyncGenerator<unknown> {
      principalOf(options);
      yield* execute(input, options) as AsyncIterable<unknown>;
    };
  }
  return (input, options) =>
    hasPrincipal(options) ? execute(input, options) : Promise.reject(new AuthError('no_task'));
}

function notExecutable(tool: object, place: string): ConfigurationError {
  const kind =
    'type' in tool && tool.type === 'provider'
      ? `a provider-executed tool${'id' in tool ? ` (${String(tool.id)})` : ''}`
      : 'a client-side tool';
  return new ConfigurationError(
    `${place}: expected a tool with an execute function, got ${kind}: ` +
      'it runs outside this process, where its calls cannot be guarded',
    [`${place.split(' ').at(-1)}.execute`],
  );
}

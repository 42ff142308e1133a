import { type ToolRuntime, tool } from '@langchain/core/tools';
import type { InteropZodObject } from '@langchain/core/utils/types';
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
  CredentialToolFields,
  CredentialToolFunction,
} from './credential-tool.ts';
import { type Act, isCallable, runGuarded } from './guarded-tool.ts';

/**
 * Guards an existing tool; its type, with the literal name, is unchanged. Inside it, `principalOf(runtime)` is the
 * principal.
 *
 * The tool is data: it names what it needs and holds no credential. It acts for the task that the agent was invoked
 * with; without a task its calls are refused with the AuthError `no_task`.
 *
 * @throws {ConfigurationError} when the tool is not executed by this process, or by a class that LangChain does not call.
 */
export function withCredential<const R extends ResourceInput, T extends AnyTool>(
  requirement: Requirement<R>,
  tool: T,
): T;
/** `tool(func, fields)` with a requirement in front: the runtime that `func` receives has the `principal`. */
export function withCredential<
  const R extends ResourceInput,
  Schema extends InteropZodObject,
  const Name extends string,
  Output,
>(
  requirement: Requirement<R>,
  func: CredentialToolFunction<Schema, Output>,
  fields: CredentialToolFields<Schema, Name>,
): CredentialTool<Schema, Output, Name>;
export function withCredential(
  requirement: Requirement,
  target: unknown,
  fields?: CredentialToolFields<InteropZodObject, string>,
): unknown {
  const original =
    typeof target === 'function' && fields !== undefined
      ? tool(target as (input: unknown, runtime: ToolRuntime) => unknown, fields)
      : target;
  if (!isCallable(original)) throw notCallable(original);
  const act: Act = (input, runManager, runtime) => original._call(input, runManager, runtime);
  // Everything else is the original's own: its fields, its private ones too, its class, what LangChain adds tomorrow.
  const guarded: object = Object.create(original, {
    _call: {
      value: (input: unknown, runManager: unknown, runtime: object) =>
        runGuarded({ tool: original, requirement, act }, input, runManager, runtime),
    },
  });
  return markRequirement(guarded, requirement);
}

/**
 * The principal of a call, inside an existing tool that was guarded with `withCredential`.
 *
 * @param runtime what the tool's function received as its second argument, or `_call` as its third.
 * @throws {AuthError} `no_task` when the call is not part of a task.
 */
export function principalOf(runtime: object | undefined): PrincipalHandle {
  const principal: unknown = (runtime as { readonly principal?: unknown } | undefined)?.principal;
  if (typeof principal === 'object' && principal !== null) return principal as PrincipalHandle;
  throw new AuthError('no_task');
}

function notCallable(target: unknown): ConfigurationError {
  const came =
    typeof target === 'function'
      ? 'a function without fields'
      : `${target === null ? 'null' : typeof target} without one`;
  return new ConfigurationError(
    `withCredential: tool: expected a LangChain tool, which has a method _call, or a function and its fields; got ${came}`,
    ['tool'],
  );
}

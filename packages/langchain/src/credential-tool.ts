import type { DynamicStructuredTool, ToolRuntime, ToolWrapperParams } from '@langchain/core/tools';
import type {
  InferInteropZodInput,
  InferInteropZodOutput,
  InteropZodObject,
} from '@langchain/core/utils/types';
import type { PrincipalHandle } from '@outlive/core';

/** LangChain's runtime of a tool call, and the principal the call acts for. */
export type CredentialRuntime = ToolRuntime & { readonly principal: PrincipalHandle };

/**
 * Any tool that LangChain executes: `tool()`, a subclass of `StructuredTool`, a community or an MCP tool.
 *
 * It says nothing of `name`: a constraint with `name: string` would widen the literal name of an inline `tool(…)`.
 */
export interface AnyTool {
  readonly schema: unknown;
  invoke(...args: never[]): unknown;
}

/** The second argument of LangChain's `tool()`, with a schema. */
export interface CredentialToolFields<Schema, Name extends string>
  extends ToolWrapperParams<Schema, Name> {
  schema: Schema;
}

/** What a credentialed tool does: the first argument of LangChain's `tool()`, with the principal in its runtime. */
export type CredentialToolFunction<Schema extends InteropZodObject, Output> = (
  input: InferInteropZodOutput<Schema>,
  runtime: CredentialRuntime,
) => Output | Promise<Output>;

/** A tool that was defined with `withCredential`. */
export type CredentialTool<
  Schema extends InteropZodObject,
  Output,
  Name extends string,
> = DynamicStructuredTool<
  Schema,
  InferInteropZodOutput<Schema>,
  InferInteropZodInput<Schema>,
  Output,
  unknown,
  Name
>;

import type { PrincipalHandle } from '@outlive/core';
import type { FlexibleSchema, Tool, ToolSet } from 'ai';

/** Any tool that the AI SDK accepts in `tools`. */
export type AnyTool = ToolSet[string];

type AnyExecute = Extract<AnyTool['execute'], (...args: never[]) => unknown>;

/** The AI SDK's own options of `execute`, in whichever major is installed. */
export type SdkExecuteOptions = Parameters<AnyExecute>[1];

/** The options a credentialed tool's `execute` receives: the SDK's, and the principal it acts for. */
export type CredentialExecuteOptions = SdkExecuteOptions & { readonly principal: PrincipalHandle };

/** The fields of an SDK tool that a credentialed tool has as well, unchanged. */
export type PassThroughKey = Extract<
  keyof Tool,
  | 'title'
  | 'strict'
  | 'metadata'
  | 'providerOptions'
  | 'inputExamples'
  | 'needsApproval'
  | 'onInputStart'
  | 'onInputDelta'
  | 'onInputAvailable'
  | 'toModelOutput'
  | 'deferLoading'
>;

/** The fields that a tool is defined with, beside what it does and who approves it. */
export interface ToolFields<Input, Output>
  extends Partial<
    Pick<Tool<Input, Output>, Exclude<PassThroughKey, 'toModelOutput' | 'needsApproval'>>
  > {
  description?: string;
  inputSchema: FlexibleSchema<Input>;
  outputSchema?: FlexibleSchema<Output>;
  /** What the model reads of the output. As in the SDK's `tool()`: looked up in `Tool`, it would not know the output. */
  toModelOutput?: (options: {
    toolCallId: string;
    input: NoInfer<Input>;
    output: NoInfer<Output>;
  }) => ReturnType<NonNullable<Tool['toModelOutput']>>;
}

/** What a credentialed tool is defined with: the SDK's `tool()` fields, and an `execute` that receives the principal. */
export interface CredentialToolDefinition<Input, Output>
  extends ToolFields<Input, Output>,
    Partial<Pick<Tool<Input, Output>, 'needsApproval'>> {
  execute: (
    input: Input,
    options: CredentialExecuteOptions,
  ) => AsyncIterable<Output> | PromiseLike<Output> | Output;
  /** Only finished tools have a `type`; this keeps them out of the overload for definitions. */
  type?: never;
}

/** A tool that acts for the task's principal. An interface, so that hovers and declaration files name it. */
export interface CredentialTool<Input, Output> extends Pick<Tool<Input, Output>, PassThroughKey> {
  type?: undefined | 'function';
  description?: string;
  inputSchema: FlexibleSchema<Input>;
  outputSchema?: FlexibleSchema<Output>;
  /** The guard binds a tool by passing `principal`; a test does the same. Without one the call is refused. */
  execute: (
    input: Input,
    options: SdkExecuteOptions & { readonly principal?: PrincipalHandle },
  ) => AsyncIterable<Output> | PromiseLike<Output> | Output;
}

/** `tool()`, `dynamicTool()` and MCP clients return types that declare `type`; a faulty definition must not pass as one. */
export type FinishedTool<T> = 'type' extends keyof T ? unknown : never;

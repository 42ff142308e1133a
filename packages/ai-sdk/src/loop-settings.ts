import type { ModelMessage } from 'ai';

/** A step of the loop, as far as the adapter looks at it. */
export interface Step {
  readonly response: { readonly messages: readonly ModelMessage[] };
  /** User messages that were added before the step (ai 7, `experimental_steering`). */
  readonly steeringMessages?: readonly ModelMessage[];
}

/** What a stop condition is asked with. */
export interface StopOptions {
  readonly steps: readonly Step[];
}

/** What `prepareStep` is called with, as far as the adapter looks at it. */
export interface PrepareStepOptions {
  readonly steps: readonly Step[];
  readonly messages: readonly ModelMessage[];
}

/** A stop condition of the loop. */
export type StopCondition = (options: StopOptions) => PromiseLike<boolean> | boolean;

/** A part of a stream, as far as the adapter looks at it. */
export interface StreamPart {
  readonly type: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly dynamic?: boolean;
  readonly error?: unknown;
  readonly reason?: unknown;
  readonly approvalId?: string;
  readonly toolCall?: { readonly toolCallId: string };
}

/** Makes a transform for a stream. */
export type StreamTransform = (options: unknown) => TransformStream<StreamPart, StreamPart>;

/**
 * The settings of `generateText`, `streamText` and `ToolLoopAgent` that the guard reads or composes with; all others
 * pass through.
 */
export interface LoopSettings {
  readonly prompt?: string | readonly ModelMessage[];
  readonly messages?: readonly ModelMessage[];
  readonly tools?: Readonly<Record<string, object>>;
  readonly stopWhen?: StopCondition | readonly StopCondition[];
  readonly prepareStep?: (
    options: PrepareStepOptions,
  ) => PromiseLike<object | undefined> | object | undefined;
  readonly experimental_transform?: StreamTransform | readonly StreamTransform[];
  readonly experimental_toolApprovalSecret?: unknown;
}

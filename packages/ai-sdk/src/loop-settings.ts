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
  readonly model?: unknown;
}

/** What `prepareStep` answers, as far as the adapter looks at it. */
export interface PreparedStep {
  readonly model?: unknown;
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
  readonly signature?: string;
  readonly toolCall?: { readonly toolCallId: string };
}

/** Makes a transform for a stream. */
export type StreamTransform = (options: unknown) => TransformStream<StreamPart, StreamPart>;

/** How the app decides about a call (ai 7). */
export type ApprovalStatus =
  | string
  | { readonly type: string; readonly reason?: string }
  | undefined;

type Approve<Request extends unknown[]> = (
  ...request: Request
) => PromiseLike<ApprovalStatus> | ApprovalStatus;

/** What the app decides with about calls: one function, or what holds for each tool (ai 7). */
export type ToolApproval =
  | Approve<
      [{ readonly toolCall: { readonly toolCallId: string; toolName: string; input: unknown } }]
    >
  | Readonly<
      Record<
        string,
        ApprovalStatus | Approve<[input: unknown, options: { readonly toolCallId: string }]>
      >
    >;

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
  ) => PromiseLike<PreparedStep | undefined> | PreparedStep | undefined;
  readonly experimental_transform?: StreamTransform | readonly StreamTransform[];
  readonly model?: unknown;
  readonly toolApproval?: ToolApproval;
  readonly experimental_toolApprovalSecret?: string | Uint8Array;
}

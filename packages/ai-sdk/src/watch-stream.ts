import type { StreamPart, StreamTransform } from './loop-settings.ts';
import type { RunGuard } from './run-guard.ts';

/** Stands at the source of a stream: no part of a refused call passes unchanged, and its end is seen. */
export interface StreamWatch {
  readonly transform: StreamTransform;
  /** Settles when the stream has been read to its end or was cut; never, if nobody reads it. */
  readonly ended: Promise<{ readonly cut: boolean }>;
  /** The first error of the stream, or why it was cut. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** Makes the watch of one stream. */
export function watchStream(guard: RunGuard): StreamWatch {
  const { promise: ended, resolve } = Promise.withResolvers<{ readonly cut: boolean }>();
  let failure: { readonly error: unknown } | undefined;
  return {
    ended,
    get failure() {
      return failure;
    },
    transform: () =>
      new TransformStream({
        transform(part, controller) {
          if (part.type === 'error') failure ??= { error: part.error };
          if (part.type === 'abort') failure ??= { error: abortError(part.reason) };
          controller.enqueue(withoutRefusal(part, guard));
        },
        flush() {
          resolve({ cut: false });
        },
        cancel(reason: unknown) {
          failure ??= { error: reason ?? abortError('The stream was cancelled.') };
          resolve({ cut: true });
        },
      }),
  };
}

/** A refused call is not an error for the UI, but a call that waits: for an approval, in the SDK's words. */
function withoutRefusal(part: StreamPart, guard: RunGuard): StreamPart {
  if (part.type === 'tool-approval-request' && part.toolCall && part.approvalId !== undefined)
    guard.rememberApproval(part.toolCall.toolCallId, part.approvalId);
  if (part.type !== 'tool-error' || part.toolCallId === undefined) return part;
  const refusal = guard.run.refusals.find(({ toolCallId }) => toolCallId === part.toolCallId);
  if (!refusal) return part;
  const { toolCallId, toolName, input, dynamic } = part;
  return {
    type: 'tool-approval-request',
    approvalId: guard.approvalIdOf(toolCallId),
    toolCall: {
      ...{ type: 'tool-call', toolCallId, toolName, input },
      ...(dynamic === true && { dynamic }),
    },
    reason: refusal.error.message,
  };
}

function abortError(reason: unknown): DOMException {
  return new DOMException(
    typeof reason === 'string' ? reason : 'The run was aborted.',
    'AbortError',
  );
}

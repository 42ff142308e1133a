import type { Refusal } from '@outlive/core';
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
  const calls = new Map<string, StreamPart>();
  return {
    ended,
    get failure() {
      return failure;
    },
    transform: () =>
      new TransformStream({
        async transform(part, controller) {
          if (part.type === 'error') failure ??= { error: part.error };
          if (part.type === 'abort') failure ??= { error: abortError(part.reason) };
          controller.enqueue(await withoutRefusal(part, guard, calls));
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
async function withoutRefusal(
  part: StreamPart,
  guard: RunGuard,
  calls: Map<string, StreamPart>,
): Promise<StreamPart> {
  const { type, toolCallId, approvalId, toolCall } = part;
  if (type === 'tool-call' && toolCallId !== undefined) calls.set(toolCallId, part);
  if (type === 'tool-approval-request' && toolCall && approvalId !== undefined) {
    const { signature } = part;
    guard.noteRequest(toolCall.toolCallId, { approvalId, ...(signature && { signature }) });
    const refusal = refusalOf(guard, toolCall.toolCallId);
    return refusal && part.reason === undefined ? { ...part, reason: refusal.error.message } : part;
  }
  const refusal = type === 'tool-error' ? refusalOf(guard, toolCallId) : undefined;
  if (refusal === undefined) return part;
  const { input } = part;
  const { toolName } = refusal;
  const request = await guard.requestOf({ toolCallId: refusal.toolCallId, toolName, input });
  return {
    type: 'tool-approval-request',
    ...request,
    // The SDK's own part, if it passed here: the SDK keeps more in it than can be seen.
    toolCall: (calls.get(refusal.toolCallId) ?? {
      ...{ type: 'tool-call', toolCallId: refusal.toolCallId, toolName, input },
      ...(part.dynamic === true && { dynamic: true }),
    }) as StreamPart['toolCall'] & object,
    reason: refusal.error.message,
  };
}

function refusalOf(guard: RunGuard, toolCallId: string | undefined): Refusal | undefined {
  return guard.refusals.find((refusal) => refusal.toolCallId === toolCallId);
}

function abortError(reason: unknown): DOMException {
  return new DOMException(
    typeof reason === 'string' ? reason : 'The run was aborted.',
    'AbortError',
  );
}

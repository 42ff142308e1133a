import type { ModelMessage } from 'ai';

/** What the SDK keeps of an approval request, beside the id of the call. */
export interface ApprovalRequest {
  readonly approvalId: string;
  readonly signature?: string;
  /** What the model wrote as the input, where the tool's schema made something else of it. */
  readonly inputSchemaInput?: unknown;
  readonly reason?: string;
}

/** The newest approval request for a call. */
export function requestFor(
  toolCallId: string,
  messages: readonly ModelMessage[],
): ApprovalRequest | undefined {
  const found = messages
    .flatMap(({ role, content }) =>
      role === 'assistant' && typeof content !== 'string' ? content : [],
    )
    .filter((part) => part.type === 'tool-approval-request')
    .findLast((part) => part.toolCallId === toolCallId);
  if (found === undefined) return undefined;
  const { type: _type, toolCallId: _call, ...request } = found;
  return request;
}

import { type BaseMessage, ToolMessage } from '@langchain/core/messages';
import type { AuthError } from '@outlive/core';

/** What a refused call carries as `artifact.outlive`, for whoever shows the conversation. */
export interface RefusedCallMark {
  readonly taskId: string;
  readonly code: string;
  readonly pauseId?: string;
}

/** A call that got no answer. */
export interface UnansweredCall {
  readonly toolCallId: string;
  readonly toolName: string;
}

const declinedText = 'The user declined to authorize this action.';

/** Said to the model, in words that tell it nothing else. */
const happenedText =
  'This action has been done before; a person confirmed it. It is not done again.';

/**
 * Stands in the conversation for the answer of a refused call, until a gate has taken it out again.
 *
 * The mark is for people who look at the conversation. Which calls may run again is not read from it, but asked of
 * the store: conversations come from browsers, and middleware may strip what it does not know.
 */
export function refusedMessage(
  { toolCallId, toolName }: UnansweredCall,
  taskId: string,
  error: AuthError,
): ToolMessage {
  const { code, ref } = error;
  const mark: RefusedCallMark = {
    taskId,
    code,
    ...(ref === undefined ? {} : { pauseId: ref }),
  };
  return new ToolMessage({
    status: 'error',
    name: toolName,
    tool_call_id: toolCallId,
    content: error.message,
    artifact: { outlive: mark },
  });
}

/** What the model reads about a call that a person refused. */
export function declinedMessage(
  { toolCallId, toolName }: UnansweredCall,
  id?: string,
): ToolMessage {
  return new ToolMessage({
    ...(id === undefined ? {} : { id }),
    status: 'error',
    name: toolName,
    tool_call_id: toolCallId,
    content: declinedText,
  });
}

/** What the model reads about a call whose outcome nobody knew, until people said that it had its effect. */
export function happenedMessage(
  { toolCallId, toolName }: UnansweredCall,
  id?: string,
): ToolMessage {
  return new ToolMessage({
    ...(id === undefined ? {} : { id }),
    name: toolName,
    tool_call_id: toolCallId,
    content: happenedText,
  });
}

/** Whether the model is told by a message that the call has happened. Middleware may have stripped all but its text. */
export function saysHappened(message: BaseMessage | undefined): boolean {
  return message?.text === happenedText;
}

/** The mark of a refused call, if a message has one. */
export function markOf(message: BaseMessage | undefined): RefusedCallMark | undefined {
  if (message === undefined || !ToolMessage.isInstance(message)) return undefined;
  const artifact: unknown = message.artifact;
  if (typeof artifact !== 'object' || artifact === null || !('outlive' in artifact))
    return undefined;
  const mark: unknown = artifact.outlive;
  return typeof mark === 'object' && mark !== null && 'taskId' in mark
    ? (mark as RefusedCallMark)
    : undefined;
}

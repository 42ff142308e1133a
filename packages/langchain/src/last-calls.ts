import { AIMessage, type BaseMessage, ToolMessage } from '@langchain/core/messages';
import type { WaitingCall } from './auth-interrupt.ts';

/** A call of the model's last turn, and what stands in the conversation as its answer. */
export interface LastCall extends WaitingCall {
  readonly answer: ToolMessage | undefined;
}

/** The calls of the model's last turn, in its order. */
export function lastCallsOf(messages: readonly BaseMessage[]): readonly LastCall[] {
  const at = messages.findLastIndex((message) => AIMessage.isInstance(message));
  const turn = messages[at] as AIMessage | undefined;
  const answers = new Map(
    messages
      .slice(at + 1)
      .flatMap((message) =>
        ToolMessage.isInstance(message) ? [[message.tool_call_id, message]] : [],
      ),
  );
  return (turn?.tool_calls ?? []).flatMap(({ id, name, args }) =>
    id === undefined ? [] : [{ toolCallId: id, toolName: name, args, answer: answers.get(id) }],
  );
}

/**
 * The conversation with the answers of the last turn right behind it, as providers demand; nothing when they are.
 *
 * A call that runs again is answered late: a message that somebody wrote meanwhile stands before its answer then.
 */
export function inOrder(messages: readonly BaseMessage[]): readonly BaseMessage[] | undefined {
  const at = messages.findLastIndex((message) => AIMessage.isInstance(message));
  const after = messages.slice(at + 1);
  const firstOther = after.findIndex((message) => !ToolMessage.isInstance(message));
  if (firstOther < 0 || !after.slice(firstOther).some((message) => ToolMessage.isInstance(message)))
    return undefined;
  return [
    ...messages.slice(0, at + 1),
    ...after.filter((message) => ToolMessage.isInstance(message)),
    ...after.filter((message) => !ToolMessage.isInstance(message)),
  ];
}

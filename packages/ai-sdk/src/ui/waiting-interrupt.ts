import { type AuthInterrupt, isAuthInterrupt } from './auth-interrupt.ts';
import { type ChatMessage, isToolPart } from './chat-message.ts';

/**
 * The interrupt that a chat waits for.
 *
 * None when the last message is the user's: who types instead of answering goes on without.
 */
export function waitingInterrupt(messages: readonly ChatMessage[]): AuthInterrupt | undefined {
  const last = messages.at(-1);
  return last?.role === 'assistant' ? interruptIn(last) : undefined;
}

/** The interrupt that a message waits for: unanswered, and so are its calls. */
export function interruptIn({ parts }: ChatMessage): AuthInterrupt | undefined {
  const interrupt = parts.findLast(isAuthInterrupt)?.data;
  if (interrupt === undefined || interrupt.answer !== undefined) return undefined;
  const asked = new Set(
    parts.flatMap((part) =>
      isToolPart(part) && part.state === 'approval-requested' ? part.toolCallId : [],
    ),
  );
  return interrupt.calls.every(({ toolCallId }) => asked.has(toolCallId)) ? interrupt : undefined;
}

import { withAnswer } from './answer-interrupt.ts';
import type { InterruptAnswer } from './auth-interrupt.ts';
import { isAuthInterrupt } from './auth-interrupt.ts';
import { type ChatMessage, isToolPart, type ToolPart } from './chat-message.ts';
import { declinedReason } from './declined-reason.ts';
import { interruptIn } from './waiting-interrupt.ts';

/** What a person answered, and the stored message with it. */
export interface TakenAnswers<Message extends ChatMessage> {
  readonly message: Message;
  /** `decline` when every call was declined; absent when there is no whole answer yet. */
  readonly answer: InterruptAnswer | undefined;
  /** Ids of the declined calls, for `resumeTask`. */
  readonly declined: readonly string[];
}

/**
 * Takes a person's answers over into the message that the server has stored.
 *
 * A message from a browser may say anything. Only the answers to what the stored message asks for are taken: not the
 * calls, not their inputs, not their results.
 */
export function takeAnswers<Message extends ChatMessage>(
  stored: Message,
  received: ChatMessage,
): TakenAnswers<Message> {
  const interrupt = interruptIn(stored);
  const nothing = { message: stored, answer: undefined, declined: [] };
  if (interrupt === undefined || received.id !== stored.id) return nothing;

  const answers = new Map(
    interrupt.calls.map(({ toolCallId, approvalId }) => [
      toolCallId,
      received.parts
        .filter(isToolPart)
        .find((part) => part.toolCallId === toolCallId && part.approval?.id === approvalId)
        ?.approval?.approved,
    ]),
  );
  if ([...answers.values()].includes(undefined)) return nothing;
  const declined = [...answers].flatMap(([id, approved]) => (approved ? [] : id));
  const answer =
    answers.size === 0
      ? received.parts
          .filter(isAuthInterrupt)
          .find(({ data }) => data.pauseId === interrupt.pauseId)?.data.answer
      : declined.length === answers.size
        ? 'decline'
        : 'resume';
  if (answer !== 'resume' && answer !== 'decline') return nothing;

  const parts = stored.parts.map((part) => {
    const approved = isToolPart(part) ? answers.get(part.toolCallId) : undefined;
    return isToolPart(part) && approved !== undefined ? answeredCall(part, approved) : part;
  });
  return { message: withAnswer({ ...stored, parts }, interrupt, answer), answer, declined };
}

function answeredCall<Part extends ToolPart>(part: Part, approved: boolean): Part {
  const approval = {
    ...part.approval,
    approved,
    ...(approved ? {} : { reason: declinedReason }),
  };
  return { ...part, state: 'approval-responded', approval };
}

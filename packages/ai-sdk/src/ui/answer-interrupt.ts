import type { AuthInterrupt, InterruptAnswer } from './auth-interrupt.ts';
import { isAuthInterrupt } from './auth-interrupt.ts';
import type { ChatMessage } from './chat-message.ts';
import { declinedReason } from './declined-reason.ts';

/** What `useChat` returns, as far as it is needed to answer. */
export interface AnswerableChat<Message extends ChatMessage> {
  readonly messages: readonly Message[];
  setMessages(messages: Message[]): void;
  sendMessage(): PromiseLike<void>;
  addToolApprovalResponse(answer: {
    id: string;
    approved: boolean;
    reason?: string;
  }): PromiseLike<void> | void;
}

/**
 * Answers an interrupt and lets the chat go on.
 *
 * The answer travels in the last message: as approvals of the refused calls, which `continuesWhenAnswered` then
 * sends; and sent from here when the task waits as a whole.
 */
export async function answerInterrupt<Message extends ChatMessage>(
  chat: AnswerableChat<Message>,
  interrupt: AuthInterrupt,
  answer: InterruptAnswer,
): Promise<void> {
  chat.setMessages(chat.messages.map((message) => withAnswer(message, interrupt, answer)));
  for (const { approvalId } of interrupt.calls)
    await chat.addToolApprovalResponse(
      answer === 'resume'
        ? { id: approvalId, approved: true }
        : { id: approvalId, approved: false, reason: declinedReason },
    );
  if (interrupt.calls.length === 0) await chat.sendMessage();
}

/** A message in which the person's answer to an interrupt is noted. */
export function withAnswer<Message extends ChatMessage>(
  message: Message,
  { pauseId }: AuthInterrupt,
  answer: InterruptAnswer,
): Message {
  const isAsked = (part: Message['parts'][number]): boolean =>
    isAuthInterrupt(part) && part.data.pauseId === pauseId && part.data.answer === undefined;
  if (!message.parts.some(isAsked)) return message;
  return {
    ...message,
    parts: message.parts.map((part) =>
      isAsked(part) && isAuthInterrupt(part) ? { ...part, data: { ...part.data, answer } } : part,
    ),
  };
}

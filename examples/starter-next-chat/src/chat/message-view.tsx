import type { AuthInterrupt, InterruptAnswer } from '@outlive/ai-sdk/ui';
import { isToolUIPart } from 'ai';
import type { ChatMessage } from './chat-message.ts';
import { InterruptCard } from './interrupt-card.tsx';
import { ToolCall } from './tool-call.tsx';

interface MessageViewProps {
  readonly message: ChatMessage;
  /** The interrupt that the chat waits for, if it is in this message. */
  readonly waiting: AuthInterrupt | undefined;
  readonly note: string | undefined;
  onConnect(): void;
  onAnswer(answer: InterruptAnswer): void;
}

/** One message, part by part. */
export function MessageView({ message, waiting, note, onConnect, onAnswer }: MessageViewProps) {
  return (
    <article className={`message ${message.role}`}>
      {message.parts.map((part, position) => {
        const key = `${message.id}-${position}`;
        if (part.type === 'text') return <p key={key}>{part.text}</p>;
        if (isToolUIPart(part)) return <ToolCall key={key} part={part} />;
        if (part.type !== 'data-auth-interrupt') return null;
        return (
          <InterruptCard
            key={key}
            interrupt={part.data}
            isWaiting={part.data.pauseId === waiting?.pauseId && waiting !== undefined}
            note={note}
            onConnect={onConnect}
            onAnswer={onAnswer}
          />
        );
      })}
    </article>
  );
}

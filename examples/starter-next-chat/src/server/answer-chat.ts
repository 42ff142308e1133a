import { takeAnswers } from '@outlive/ai-sdk/ui';
import { consumeStream, createUIMessageStream, createUIMessageStreamResponse } from 'ai';
import type { ChatMessage } from '../chat/chat-message.ts';
import {
  cancelTask,
  declinedTurn,
  resumeTurn,
  startTurn,
  type Turn,
  turnWithoutTask,
} from './agent-turn.ts';
import { type StoredChat, saveChat } from './chat-store.ts';

/** The chats that are being answered. One process is enough for a starter; a database has transactions for this. */
const answering = new Set<string>();

/** Answers what a person typed, or goes on after they have answered an interrupt. */
export async function answerChat(chat: StoredChat, received: ChatMessage): Promise<Response> {
  const { id, owner } = chat;
  const next = received.role === 'user' ? newTurn(chat, received) : answeredTurn(chat, received);
  if (next === undefined || answering.has(id))
    return new Response('This was answered already. Reload the page.', { status: 409 });
  answering.add(id);
  const { messages, turn } = next;
  // Kept before the answer begins: a reload in the middle of it shows what was asked.
  await saveChat({ ...chat, messages });

  let paused: StoredChat['paused'];
  const stream = createUIMessageStream<ChatMessage>({
    originalMessages: messages,
    generateId: () => crypto.randomUUID(),
    async execute({ writer }) {
      paused = await turn(writer);
    },
    async onEnd({ messages: answered }) {
      answering.delete(id);
      await saveChat({ id, owner, messages: answered, ...(paused !== undefined && { paused }) });
    },
  });
  // Reads on when the browser goes away, so that the run ends and is kept.
  return createUIMessageStreamResponse({ stream, consumeSseStream: consumeStream });
}

interface NextTurn {
  readonly messages: ChatMessage[];
  readonly turn: Turn;
}

/** Who types instead of answering gives up what waits: that task is cancelled, and another one begins. */
function newTurn({ owner, messages: before, paused }: StoredChat, received: ChatMessage): NextTurn {
  const text = received.parts.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n');
  const asked: ChatMessage = { id: received.id, role: 'user', parts: [{ type: 'text', text }] };
  const messages = [...before, asked];
  return {
    messages,
    async turn(writer) {
      if (paused !== undefined) await cancelTask(owner, paused);
      return startTurn(writer, owner, messages);
    },
  };
}

/** Nothing when there is no whole answer to what the server asked. */
function answeredTurn(
  { owner, messages: before, paused }: StoredChat,
  received: ChatMessage,
): NextTurn | undefined {
  const stored = before.at(-1);
  if (stored === undefined) return undefined;
  const { message, answer, declined } = takeAnswers(stored, received);
  if (answer === undefined) return undefined;
  const messages = [...before.slice(0, -1), message];
  return {
    messages,
    async turn(writer) {
      if (answer === 'decline')
        return paused === undefined
          ? turnWithoutTask(writer, messages)
          : declinedTurn(writer, owner, paused, messages);
      return paused === undefined
        ? startTurn(writer, owner, messages)
        : resumeTurn(writer, owner, paused, declined);
    },
  };
}

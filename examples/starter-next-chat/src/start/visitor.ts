import { Chat } from '@ai-sdk/react';
import {
  answerInterrupt,
  continuesWhenAnswered,
  type InterruptAnswer,
  waitingInterrupt,
} from '@outlive/ai-sdk/ui';
import type { TestIssuer } from '@outlive/testing';
import { DefaultChatTransport } from 'ai';
import type { ChatMessage } from '../chat/chat-message.ts';

/** Somebody who uses a chat of the app, without a browser. */
export interface Visitor {
  /** Why the chat waits, and how many calls do. */
  readonly waitsFor: object | undefined;
  /** The last message in short: its text, its calls and how they stand. */
  readonly said: readonly string[];
  /** Everything that the app has sent so far. */
  readonly received: string;
  ask(text: string): Promise<void>;
  answer(answer: InterruptAnswer): Promise<void>;
  /** Walks through sign-in and consent at the issuer. Answers the status that the app then shows. */
  connect(): Promise<string | null>;
}

/** Opens a chat of the app at `url`. */
export async function visit(url: string, issuer: Pick<TestIssuer, 'authorize'>): Promise<Visitor> {
  const opened = await fetch(url, { redirect: 'manual' });
  const cookie = opened.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const path = opened.headers.get('location') ?? '';
  const id = path.split('/').at(-1) ?? '';
  let received = await textOf(path);

  const chat = new Chat<ChatMessage>({
    id,
    transport: new DefaultChatTransport({
      api: new URL('/api/chat', url).href,
      headers: { cookie },
      prepareSendMessagesRequest: ({ messages }) => ({ body: { id, message: messages.at(-1) } }),
      async fetch(input, init) {
        const response = await fetch(input, init);
        const [forChat, forSearch] = response.body?.tee() ?? [];
        received += await new Response(forSearch).text();
        return new Response(forChat, response);
      },
    }),
  });

  async function textOf(at: string): Promise<string> {
    const response = await fetch(new URL(at, url), { headers: { cookie } });
    return response.text();
  }

  return {
    get waitsFor() {
      const interrupt = waitingInterrupt(chat.messages);
      return interrupt && { code: interrupt.code, calls: interrupt.calls.length };
    },
    get said() {
      return (chat.lastMessage?.parts ?? []).flatMap((part) => {
        if (part.type === 'text') return part.text;
        return 'toolCallId' in part ? `${part.type.slice('tool-'.length)}: ${part.state}` : [];
      });
    },
    get received() {
      return received;
    },
    ask: (text) => chat.sendMessage({ text }),
    async answer(answer) {
      const interrupt = waitingInterrupt(chat.messages);
      if (interrupt === undefined) throw new Error('the chat does not wait');
      const setMessages = (messages: ChatMessage[]): void => {
        chat.messages = messages;
      };
      const { messages, sendMessage, addToolApprovalResponse } = chat;
      await answerInterrupt(
        { messages, setMessages, sendMessage, addToolApprovalResponse },
        interrupt,
        answer,
      );
      // A page leaves this to `sendAutomaticallyWhen`, which nobody can wait for.
      if (continuesWhenAnswered(chat)) await chat.sendMessage();
    },
    async connect() {
      const started = await fetch(new URL(`/connect?chat=${id}`, url), {
        headers: { cookie },
        redirect: 'manual',
      });
      const callback = await issuer.authorize(new URL(started.headers.get('location') ?? ''), {
        subject: 'ana',
      });
      const ended = await fetch(callback, { headers: { cookie }, redirect: 'manual' });
      const shown = new URL(ended.headers.get('location') ?? '', url);
      received += await textOf(shown.href);
      return shown.searchParams.get('status');
    },
  };
}

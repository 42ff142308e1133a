'use client';

import { useChat } from '@ai-sdk/react';
import {
  answerInterrupt,
  continuesWhenAnswered,
  type InterruptAnswer,
  onConnection,
  waitingInterrupt,
} from '@outlive/ai-sdk/ui';
import { DefaultChatTransport } from 'ai';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type { ChatMessage } from './chat-message.ts';
import { Composer } from './composer.tsx';
import { cameBackHere, openConnectWindow } from './connect-window.ts';
import { DemoSwitch } from './demo-switch.tsx';
import { MessageView } from './message-view.tsx';
import { Welcome } from './welcome.tsx';

interface ChatProps {
  readonly id: string;
  readonly stored: ChatMessage[];
  /** What became of the connection, as the address says where the page was left for it. */
  readonly connectionStatus: string | undefined;
  readonly hasDemo: boolean;
}

// The server has the conversation; it needs what is new.
const transport = new DefaultChatTransport<ChatMessage>({
  api: '/api/chat',
  prepareSendMessagesRequest: ({ id, messages }) => ({ body: { id, message: messages.at(-1) } }),
});

/** The page: the conversation, and a place to type. */
export function Chat({ id, stored, connectionStatus, hasDemo }: ChatProps) {
  const chat = useChat<ChatMessage>({
    id,
    messages: stored,
    transport,
    sendAutomaticallyWhen: continuesWhenAnswered,
  });
  const interrupt = waitingInterrupt(chat.messages);
  const isBusy = chat.status === 'submitted' || chat.status === 'streaming';
  const connecting = useRef(false);
  const [note, setNote] = useState<string>();

  function answer(word: InterruptAnswer): void {
    setNote(undefined);
    connecting.current = false;
    if (interrupt !== undefined) void answerInterrupt(chat, interrupt, word);
  }

  function connect(): void {
    setNote(undefined);
    connecting.current = true;
    openConnectWindow(id);
  }

  // Every page of this origin hears the news; only the one that asked goes on.
  const hear = useEffectEvent((status: string) => {
    if (!connecting.current) return;
    if (status === 'connected') answer('resume');
    else setNote('The account was not connected. You can try again, or leave it.');
  });
  useEffect(() => onConnection(({ status }) => hear(status)), []);
  useEffect(() => {
    if (connectionStatus === undefined) return;
    window.history.replaceState(null, '', window.location.pathname);
    connecting.current = cameBackHere();
    hear(connectionStatus);
  }, [connectionStatus]);

  const end = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever something was said, the end comes into view.
  useEffect(() => {
    void end.current?.scrollIntoView({ block: 'end' });
  }, [chat.messages]);

  return (
    <div className="page">
      <header className="header">
        <h1>Support desk</h1>
        {hasDemo && <DemoSwitch key={interrupt?.pauseId ?? 'none'} />}
      </header>
      <main className="conversation" aria-live="polite">
        {chat.messages.length === 0 && <Welcome ask={(text) => void chat.sendMessage({ text })} />}
        {chat.messages.map((message, position) => (
          <MessageView
            key={message.id}
            message={message}
            waiting={position === chat.messages.length - 1 ? interrupt : undefined}
            note={note}
            onConnect={connect}
            onAnswer={answer}
          />
        ))}
        {chat.status === 'submitted' && <p className="working">Working…</p>}
        {chat.error && (
          <p className="error" role="alert">
            {chat.error.message}
          </p>
        )}
        <div ref={end} className="end" />
      </main>
      <Composer isBusy={isBusy} send={(text) => void chat.sendMessage({ text })} />
    </div>
  );
}

import { notFound } from 'next/navigation';
import { Chat } from '../../../chat/chat.tsx';
import { loadChat } from '../../../server/chat-store.ts';
import { environment } from '../../../server/environment.ts';
import { currentSession } from '../../../server/session.ts';

interface PageProps {
  readonly params: Promise<{ readonly id: string }>;
  readonly searchParams: Promise<{ readonly status?: string }>;
}

/** A chat, as the server keeps it. */
export default async function Page({ params, searchParams }: PageProps) {
  const { id } = await params;
  const { status } = await searchParams;
  const { userId } = await currentSession();
  const chat = await loadChat(id, userId).catch((error: unknown) => {
    if (error instanceof RangeError) notFound();
    throw error;
  });
  return (
    <Chat
      id={id}
      stored={chat.messages}
      connectionStatus={status}
      hasDemo={environment().DEMO_CONTROL_URL !== undefined}
    />
  );
}

'use client';

import { announceConnection, type ConnectionNews } from '@outlive/ai-sdk/ui';
import Link from 'next/link';
import { useSearchParams } from 'next/navigation';
import { useEffect } from 'react';
import { beganInThisWindow } from './connect-window.ts';

const words: Record<ConnectionNews['status'], string> = {
  connected: 'Your account is connected.',
  denied: 'Your account was not connected.',
  refused: 'This link did not belong to your session. Nothing was connected.',
};

/** Tells the chat what became of the connection, and closes the window. */
export function ConnectedNotice() {
  const parameters = useSearchParams();
  const status = statusOf(parameters.get('status'));
  const chat = `/chat/${parameters.get('chat')}?status=${status}`;

  useEffect(() => {
    if (beganInThisWindow()) {
      window.location.replace(chat);
      return;
    }
    announceConnection({ provider: 'desk', status });
    window.close();
  }, [chat, status]);

  return (
    <main className="notice">
      <p>{words[status]}</p>
      <p>
        You can close this window, or go <Link href={chat}>back to the chat</Link>.
      </p>
    </main>
  );
}

function statusOf(text: string | null): ConnectionNews['status'] {
  return text === 'connected' || text === 'denied' ? text : 'refused';
}

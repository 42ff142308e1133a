import { redirect } from 'next/navigation';

// Each visit is a chat of its own.
export const dynamic = 'force-dynamic';

/** Begins a chat. */
export default function Page() {
  redirect(`/chat/${crypto.randomUUID()}`);
}

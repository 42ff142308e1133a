import type { ChatMessage } from '../../../chat/chat-message.ts';
import { answerChat } from '../../../server/answer-chat.ts';
import { loadChat } from '../../../server/chat-store.ts';
import { currentSession } from '../../../server/session.ts';

/** The last message of a chat: what the person typed, or the message whose interrupt they answered. */
export async function POST(request: Request): Promise<Response> {
  const { userId } = await currentSession();
  const { id, message }: { id: string; message: ChatMessage } = await request.json();
  return answerChat(await loadChat(id, userId), message);
}

import { safeValidateUIMessages } from 'ai';
import { z } from 'zod';
import type { ChatMessage } from '../../../chat/chat-message.ts';
import { answerChat } from '../../../server/answer-chat.ts';
import { loadChat } from '../../../server/chat-store.ts';
import { currentSession } from '../../../server/session.ts';

const bodySchema = z.object({ id: z.uuid(), message: z.unknown() });

/** The last message of a chat: what the person typed, or the message whose interrupt they answered. */
export async function POST(request: Request): Promise<Response> {
  const { userId } = await currentSession();
  const body = bodySchema.safeParse(await request.json());
  const received = await safeValidateUIMessages<ChatMessage>({ messages: [body.data?.message] });
  const message = received.success ? received.data[0] : undefined;
  if (body.data === undefined || message === undefined)
    return new Response('Expected the id of a chat and a message.', { status: 400 });
  return answerChat(await loadChat(body.data.id, userId), message);
}

import type { ModelMessage } from 'ai';
import { encodeBase64 } from './base64.ts';
import type { RunGuard } from './run-guard.ts';

/** Everything that was said in a run so far, as JSON. */
export function conversationOf({ opening, steps }: RunGuard): ModelMessage[] {
  let messages = plainMessages(opening);
  for (const { steeringMessages = [], response } of steps)
    messages = appendUnseen(messages, plainMessages([...steeringMessages, ...response.messages]));
  return messages;
}

/**
 * Appends what is new. In ai 7 a step has its own messages, in ai 6 those of all steps so far, beginning with the
 * results of calls that were run again: whatever `messages` already ends with is not repeated.
 */
function appendUnseen(messages: ModelMessage[], more: ModelMessage[]): ModelMessage[] {
  const ends = messages.map((message) => JSON.stringify(message));
  const begins = more.map((message) => JSON.stringify(message));
  let overlap = Math.min(ends.length, begins.length);
  while (overlap > 0 && begins.slice(0, overlap).join() !== ends.slice(-overlap).join())
    overlap -= 1;
  return [...messages, ...more.slice(overlap)];
}

/** Messages without what JSON cannot say: files become base64, as the SDK accepts them, URLs strings. */
function plainMessages(messages: readonly ModelMessage[]): ModelMessage[] {
  return JSON.parse(
    JSON.stringify(messages, function (this: Record<string, unknown>, key, value: unknown) {
      // The original, because a Buffer's own toJSON has already been called on `value`.
      const original = this[key];
      if (original instanceof ArrayBuffer) return encodeBase64(new Uint8Array(original));
      return original instanceof Uint8Array ? encodeBase64(original) : value;
    }),
  );
}

import {
  type BaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  type StoredMessage,
} from '@langchain/core/messages';
import { checkPausedRun, type PausedRunReference, wrongPausedRun } from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';

/**
 * What is needed to resume a paused run, in this or another process: plain JSON, without a token.
 *
 * Where LangGraph keeps the conversation, the thread names it; elsewhere the conversation is in it.
 */
export interface PausedRun extends PausedRunReference {
  /** The calls that were refused. */
  readonly pending: readonly UnansweredCall[];
  /** The thread in which LangGraph keeps the conversation. */
  readonly threadId?: string;
  /** The conversation, where LangGraph keeps none. */
  readonly messages?: StoredMessage[];
}

/** A conversation as JSON. */
export function storedMessages(messages: readonly BaseMessage[]): StoredMessage[] {
  return JSON.parse(JSON.stringify(mapChatMessagesToStoredMessages([...messages])));
}

/** The conversation of a paused run. */
export function chatMessages(messages: readonly StoredMessage[]): BaseMessage[] {
  return mapStoredMessagesToChatMessages([...messages]);
}

/**
 * Checks what came back from wherever the app kept it.
 *
 * @throws {ConfigurationError} when it is not a paused run.
 */
export function assertPausedRun(value: PausedRun): void {
  checkPausedRun(value, ['pending']);
  if (typeof value.threadId !== 'string' && !Array.isArray(value.messages))
    throw wrongPausedRun('messages', 'an array, as there is no threadId', value.messages);
}

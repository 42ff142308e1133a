import {
  type BaseMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  type StoredMessage,
} from '@langchain/core/messages';
import { ConfigurationError } from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';

/**
 * What is needed to resume a paused run, in this or another process: plain JSON, without a token.
 *
 * Where LangGraph keeps the conversation, the thread names it; elsewhere the conversation is in it.
 */
export interface PausedRun {
  readonly version: 1;
  readonly taskId: string;
  readonly runId: string;
  readonly pauseId: string;
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
  const run: Partial<PausedRun> | null | undefined = value;
  const wrong = (path: string, expected: string, came: unknown): ConfigurationError =>
    new ConfigurationError(
      `resumeTask: ${path}: expected ${expected}, got ${came === null ? 'null' : typeof came}`,
      [path],
    );
  if (typeof run !== 'object' || run === null) throw wrong('pausedRun', 'an object', run);
  if (run.version !== 1)
    throw new ConfigurationError(
      `resumeTask: pausedRun.version: expected 1, got ${String(run.version)}`,
      ['pausedRun.version'],
    );
  for (const field of ['taskId', 'runId', 'pauseId'] as const)
    if (typeof run[field] !== 'string') throw wrong(`pausedRun.${field}`, 'a string', run[field]);
  if (!Array.isArray(run.pending)) throw wrong('pausedRun.pending', 'an array', run.pending);
  if (typeof run.threadId !== 'string' && !Array.isArray(run.messages))
    throw wrong('pausedRun.messages', 'an array, as there is no threadId', run.messages);
}

import type { Pause } from '@outlive/core';
import { ConfigurationError } from '@outlive/core';
import type { AssistantContent, ModelMessage, ToolModelMessage } from 'ai';
import { conversationOf } from './conversation.ts';
import { approvalOf, type RunGuard } from './run-guard.ts';
import { declinedReason } from './ui/declined-reason.ts';

/** A call that was refused, and that waits as an approval request in the conversation. */
export interface PendingCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly approvalId: string;
}

/**
 * What is needed to resume a paused run, in this or another process: plain JSON, without a token.
 *
 * The conversation is as the model left it: the refused calls are unanswered. The system prompt is not in it; it
 * belongs to the settings of the run.
 */
export interface PausedRun {
  readonly version: 1;
  readonly taskId: string;
  readonly runId: string;
  readonly pauseId: string;
  readonly messages: ModelMessage[];
  readonly pending: readonly PendingCall[];
}

/** What is kept of a run that was stopped. */
export function suspend(guard: RunGuard, pause: Pause): PausedRun {
  const { run } = guard;
  let messages = conversationOf(guard);
  const pending: PendingCall[] = [];
  for (const { toolCallId, toolName } of run.refusals) {
    const called = messages.findLastIndex((message) => calls(message, toolCallId));
    // The step that made the call failed as a whole, so the model's message is not part of the conversation.
    if (called < 0) continue;
    const approvalId =
      approvalOf(toolCallId, messages.slice(called)) ?? guard.approvalIdOf(toolCallId);
    pending.push({ toolCallId, toolName, approvalId });
    messages = messages.flatMap((message, index) => {
      if (index === called) return [withApprovalRequest(message, toolCallId, approvalId)];
      return index > called ? withoutAnswer(message, toolCallId, approvalId) : [message];
    });
  }
  return {
    version: 1,
    taskId: run.taskId,
    runId: run.id,
    pauseId: pause.id,
    messages,
    pending,
  };
}

/**
 * The conversation with which a paused run goes on: every pending call is approved, but for the declined ones.
 *
 * The SDK executes approved calls, with the ids they had, before the model gets a turn.
 */
export function resumedMessages(paused: PausedRun, declined: ReadonlySet<string>): ModelMessage[] {
  if (paused.pending.length === 0) return paused.messages;
  const answers: ToolModelMessage = {
    role: 'tool',
    content: paused.pending.map(({ toolCallId, approvalId }) => ({
      type: 'tool-approval-response',
      approvalId,
      ...(declined.has(toolCallId)
        ? { approved: false, reason: declinedReason }
        : { approved: true }),
    })),
  };
  return [...paused.messages, answers];
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
  for (const field of ['messages', 'pending'] as const)
    if (!Array.isArray(run[field])) throw wrong(`pausedRun.${field}`, 'an array', run[field]);
}

function calls(message: ModelMessage, toolCallId: string): boolean {
  return (
    message.role === 'assistant' &&
    typeof message.content !== 'string' &&
    message.content.some((part) => part.type === 'tool-call' && part.toolCallId === toolCallId)
  );
}

function withApprovalRequest(
  message: ModelMessage,
  toolCallId: string,
  approvalId: string,
): ModelMessage {
  if (message.role !== 'assistant' || typeof message.content === 'string') return message;
  const content: Exclude<AssistantContent, string> = [];
  let requested = false;
  for (const part of message.content) {
    const request = part.type === 'tool-approval-request' && part.toolCallId === toolCallId;
    // A streamed call that was approved automatically has its request twice.
    if (!(request && requested)) content.push(part);
    requested ||= request;
  }
  if (!requested) content.push({ type: 'tool-approval-request', approvalId, toolCallId });
  return { ...message, content };
}

function withoutAnswer(
  message: ModelMessage,
  toolCallId: string,
  approvalId: string,
): ModelMessage[] {
  if (message.role !== 'tool') return [message];
  const content = message.content.filter((part) =>
    part.type === 'tool-result' ? part.toolCallId !== toolCallId : part.approvalId !== approvalId,
  );
  return content.length > 0 ? [{ ...message, content }] : [];
}

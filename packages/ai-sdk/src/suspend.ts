import type { Pause, Refusal } from '@outlive/core';
import type { AssistantContent, ModelMessage } from 'ai';
import { type ApprovalRequest, requestFor } from './approval-request.ts';
import { conversationOf } from './conversation.ts';
import type { PausedRun, PendingCall } from './paused-run.ts';
import type { RunGuard } from './run-guard.ts';

/** What is kept of a run that was stopped. */
export async function suspend(guard: RunGuard, pause: Pause): Promise<PausedRun> {
  const { run } = guard;
  let messages = conversationOf(guard);
  const pending: PendingCall[] = [];
  const places = new Map(guard.refusals.map(({ toolCallId: id }) => [id, placeOf(messages, id)]));
  const inOrder = guard.refusals.toSorted(
    (one, other) => (places.get(one.toolCallId) ?? 0) - (places.get(other.toolCallId) ?? 0),
  );
  for (const refusal of inOrder) {
    const { toolCallId, toolName } = refusal;
    const called = messages.findLastIndex((message) => callIn(message, toolCallId) !== undefined);
    const call = messages[called] && callIn(messages[called], toolCallId);
    // The step that made the call failed as a whole, so the model's message is not part of the conversation.
    if (call === undefined) continue;
    const request =
      requestFor(toolCallId, messages.slice(called)) ??
      (await guard.requestOf({ toolCallId, toolName, input: call.input }));
    pending.push(refusedCall(guard, refusal, request));
    messages = messages.flatMap((message, index) => {
      if (index === called) return [withRequest(message, toolCallId, request)];
      return index > called ? withoutAnswer(message, toolCallId, request.approvalId) : [message];
    });
  }
  return {
    version: 1,
    taskId: run.taskId,
    runId: run.id,
    pauseId: pause.id,
    messages,
    pending: [...pending, ...unansweredCalls(messages, pending)],
  };
}

/** Where in the conversation the model made a call: people read the calls of a turn in that order. */
function placeOf(messages: readonly ModelMessage[], toolCallId: string): number {
  const made = messages.flatMap((message) =>
    message.role === 'assistant' && typeof message.content !== 'string' ? message.content : [],
  );
  return made.findLastIndex((part) => part.type === 'tool-call' && part.toolCallId === toolCallId);
}

function refusedCall(
  { run, agents }: RunGuard,
  { toolCallId, toolName, error }: Refusal,
  { approvalId }: ApprovalRequest,
): PendingCall {
  const entry = run.ledger.find((call) => call.toolCallId === toolCallId);
  const agent = agents.paused.get(toolCallId);
  return {
    ...{ toolCallId, toolName, waitsFor: 'authority', approvalId, code: error.code },
    ...(entry !== undefined && { resource: entry.resource }),
    ...(agent !== undefined && { agent }),
  };
}

/** Calls of the last turn that wait for the app: for an approval it wants itself, or for a tool that runs elsewhere. */
function unansweredCalls(
  messages: readonly ModelMessage[],
  refused: readonly PendingCall[],
): PendingCall[] {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  const content = messages[last]?.content ?? [];
  const settled = new Set(refused.map(({ toolCallId }) => toolCallId));
  for (const { role, content: parts } of messages.slice(last + 1))
    for (const part of role === 'tool' ? parts : [])
      if (part.type === 'tool-result') settled.add(part.toolCallId);
  return (typeof content === 'string' ? [] : content).flatMap((part): PendingCall[] => {
    if (part.type !== 'tool-call' || part.providerExecuted === true) return [];
    const { toolCallId, toolName } = part;
    if (settled.has(toolCallId)) return [];
    const request = requestFor(toolCallId, messages.slice(last));
    return request === undefined
      ? [{ toolCallId, toolName, waitsFor: 'result' }]
      : [{ toolCallId, toolName, waitsFor: 'approval', approvalId: request.approvalId }];
  });
}

function callIn(
  message: ModelMessage,
  toolCallId: string,
): { readonly input: unknown } | undefined {
  if (message.role !== 'assistant' || typeof message.content === 'string') return undefined;
  return message.content
    .filter((part) => part.type === 'tool-call')
    .find((part) => part.toolCallId === toolCallId);
}

function withRequest(
  message: ModelMessage,
  toolCallId: string,
  request: ApprovalRequest,
): ModelMessage {
  if (message.role !== 'assistant' || typeof message.content === 'string') return message;
  const content: Exclude<AssistantContent, string> = [];
  let requested = false;
  for (const part of message.content) {
    const isRequest = part.type === 'tool-approval-request' && part.toolCallId === toolCallId;
    // A streamed call that was approved automatically has its request twice.
    if (!(isRequest && requested)) content.push(part);
    requested ||= isRequest;
  }
  if (!requested) content.push({ type: 'tool-approval-request', toolCallId, ...request });
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

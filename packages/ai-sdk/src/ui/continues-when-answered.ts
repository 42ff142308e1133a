import { isAuthInterrupt } from './auth-interrupt.ts';
import { type ChatMessage, isToolPart, type ToolPart } from './chat-message.ts';

const settledStates: ReadonlySet<string> = new Set([
  'output-available',
  'output-error',
  'output-denied',
  'approval-responded',
]);

/**
 * `sendAutomaticallyWhen` for `useChat`: the chat goes on by itself once every refused call has its answer.
 *
 * The SDK's own `lastAssistantMessageIsCompleteWithApprovalResponses` looks behind the last `step-start` only. A run
 * that was refused again leaves an empty step there, and then it would never go on: this one looks at the last step
 * in which a tool was called.
 */
export function continuesWhenAnswered({
  messages,
}: {
  readonly messages: readonly ChatMessage[];
}): boolean {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return false;
  const lastCall = last.parts.findLastIndex(isToolPart);
  const stepStart = last.parts.slice(0, lastCall + 1).findLastIndex(isStepStart);
  // Whatever else is behind the calls is an answer of the model: it has read their results.
  if (!last.parts.slice(lastCall + 1).every((part) => isStepStart(part) || isAuthInterrupt(part)))
    return false;
  const calls = last.parts.slice(stepStart + 1, lastCall + 1).filter(isToolPart);
  return (
    calls.some(({ state }) => state === 'approval-responded') &&
    calls.every((call) => settledStates.has(call.state) && !isUnderWay(call))
  );
}

/** A call that was refused after its first outputs still has them, and what the page thought of them. */
function isUnderWay({ state, preliminary }: ToolPart): boolean {
  return state === 'output-available' && preliminary === true;
}

function isStepStart({ type }: { readonly type: string }): boolean {
  return type === 'step-start';
}

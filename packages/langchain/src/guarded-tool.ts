import type { BaseMessage, ToolMessage } from '@langchain/core/messages';
import { isGraphBubbleUp } from '@langchain/langgraph';
import { AuthError, type GuardedCall, type Requirement } from '@outlive/core';
import { authInterrupt, type WaitingCall } from './auth-interrupt.ts';
import { lastCallsOf } from './last-calls.ts';
import { resourcesOfWaiting } from './needed-resources.ts';
import { happenedMessage, refusedMessage } from './refused-call.ts';
import type { RunGuard } from './run-guard.ts';
import type { TaskBinding } from './task-binding.ts';
import { bindingOf, type ToolRuntimeView, threadOf } from './tool-runtime.ts';

/** The part of a LangChain tool that does the work; `invoke` validates the input and calls it. */
export type Act = (input: unknown, runManager: unknown, runtime: object) => unknown;

/** A LangChain tool, seen from the inside. */
export interface CallableTool {
  readonly name: string;
  readonly responseFormat?: unknown;
  readonly returnDirect?: boolean;
  _call(input: unknown, runManager: unknown, runtime: object): unknown;
}

/** A tool, what it needs, and what it does. */
export interface GuardedTool {
  readonly tool: CallableTool;
  readonly requirement: Requirement;
  readonly act: Act;
}

/** Whether LangChain executes the tool by its `_call`. */
export function isCallable(target: unknown): target is CallableTool {
  return (
    typeof target === 'object' &&
    target !== null &&
    'name' in target &&
    '_call' in target &&
    typeof target._call === 'function'
  );
}

/**
 * Runs one call of a tool under its task: the tool receives the principal, and what it says of a refused call is not
 * what the model gets.
 *
 * @throws {AuthError} `no_task` outside a task; the refusal itself outside a graph.
 */
export async function runGuarded(
  guarded: GuardedTool,
  input: unknown,
  runManager: unknown,
  runtime: object,
): Promise<unknown> {
  const view: ToolRuntimeView = runtime;
  const binding = bindingOf(view.context);
  if (binding === undefined) throw new AuthError('no_task');
  const guard = await binding.guard(threadOf(view.configurable));
  const { tool, requirement, act } = guarded;
  const toolCallId = view.toolCallId ?? view.toolCall?.id ?? crypto.randomUUID();
  const args = view.toolCall?.args ?? input;
  const running: RunningCall = { binding, guard, tool, toolCallId, args, view };

  const untold = guard.knows(toolCallId) ? undefined : await findAgain(running);
  if (untold === 'happened') return told(running, happenedMessage(namedCall(running)));
  if (untold !== undefined) return refused(running, untold);
  const call = guard.call({ requirement, toolName: tool.name, toolCallId, input: args });
  const notAdmitted = await call.admission;
  if (notAdmitted !== undefined) return refused(running, notAdmitted);
  let output: unknown;
  try {
    output = await act(input, runManager, { ...runtime, principal: call.principal });
  } catch (error) {
    return failed(running, call, error);
  }
  if (isAsyncGenerator(output)) return streamed(running, call, output);
  const refusal = await settle(call, { ok: true });
  return refusal === undefined ? output : refused(running, refusal);
}

interface RunningCall {
  readonly binding: TaskBinding;
  readonly guard: RunGuard;
  readonly tool: CallableTool;
  readonly toolCallId: string;
  readonly args: unknown;
  readonly view: ToolRuntimeView;
}

/**
 * A call that no gate of this process has let through: the graph went on in the middle of its tools, or it has no
 * gate. What the store knows about it decides. Answers why it does not run.
 */
async function findAgain({
  binding,
  guard,
  toolCallId,
  view,
}: RunningCall): Promise<AuthError | 'happened' | undefined> {
  const { task, options } = binding;
  const runId = guard.run.id;
  try {
    const [stored] = await task.storedCalls({ runId, toolCallIds: [toolCallId] });
    if (stored === undefined) return undefined;
    // Whoever decides does so elsewhere; here the task is asked whether it may go on. If not, the call itself is refused.
    if (task.status === 'paused') {
      // Its siblings wait for the same pause: what all of them need must be there.
      const toolCallIds = [toolCallId, ...siblingsOf(toolCallId, view)];
      await task.resume({ resources: await resourcesOfWaiting(task, { runId, toolCallIds }) });
    }
    if (task.status !== 'active') return undefined;
    const { takeOver = false } = options;
    const run = await task.resumeRun({ runId, toolCallIds: [toolCallId], takeOver });
    if (run.happenedCalls.has(toolCallId)) {
      guard.markHappened(toolCallId);
      return 'happened';
    }
    // Nobody can tell whether it had its effect already: the task waits for a person again, and the call is refused.
    if (run.resumableCalls.size > 0) guard.resume(run, [toolCallId]);
    return undefined;
  } catch (error) {
    return AuthError.find(error) ?? new AuthError('store_unavailable', { cause: error });
  }
}

/** The other calls of the model's last turn, where the graph shows its tools the conversation. */
function siblingsOf(toolCallId: string, { state }: ToolRuntimeView): readonly string[] {
  const messages = Array.isArray(state) ? state : (state as GraphState | undefined)?.messages;
  const ids = lastCallsOf(messages ?? []).map((call) => call.toolCallId);
  return ids.filter((id) => id !== toolCallId);
}

interface GraphState {
  readonly messages?: readonly BaseMessage[];
}

async function failed(running: RunningCall, call: GuardedCall, error: unknown): Promise<unknown> {
  const refusal = isAsking(error)
    ? await recorded(call.suspend())
    : await settle(call, { ok: false, error });
  if (refusal !== undefined) return refused(running, refusal);
  if (isAsking(error)) running.guard.forget(running.toolCallId);
  throw error;
}

/** Whether the tool asks somebody, or a graph inside of it does: it will run again from its start. */
function isAsking(error: unknown): boolean {
  return isGraphBubbleUp(error as Parameters<typeof isGraphBubbleUp>[0]);
}

async function* streamed(
  running: RunningCall,
  call: GuardedCall,
  events: AsyncGenerator<unknown>,
): AsyncGenerator<unknown, unknown> {
  let output: unknown;
  try {
    output = yield* events;
  } catch (error) {
    return await failed(running, call, error);
  }
  const refusal = await settle(call, { ok: true });
  return refusal === undefined ? output : await refused(running, refusal);
}

/** The refusal of the call, if it was one. What cannot be written down stops the agent as well. */
function settle(
  call: GuardedCall,
  end: { readonly ok: boolean; readonly error?: unknown },
): Promise<AuthError | undefined> {
  return recorded(call.settle(end));
}

async function recorded(writing: Promise<AuthError | undefined>): Promise<AuthError | undefined> {
  try {
    return await writing;
  } catch (cause) {
    return AuthError.find(cause) ?? new AuthError('store_unavailable', { cause });
  }
}

/**
 * What a refused call gives instead of an answer. Where a gate stands before the model's next turn it is a message,
 * so that the siblings are finished and kept. Elsewhere in a graph it is an interrupt: the model must not get a turn.
 */
async function refused(running: RunningCall, error: AuthError): Promise<unknown> {
  const { binding, guard, tool, view } = running;
  if (view.executionInfo === undefined) throw error;
  const call = namedCall(running);
  guard.refuse(call, error);
  // Behind a tool that returns directly the agent ends, and no gate looks at its answer.
  if (!guard.isGated || tool.returnDirect === true)
    throw await authInterrupt(binding.task, [call], error);
  return told(running, refusedMessage(call, binding.task.id, error));
}

function namedCall({ tool, toolCallId, args }: RunningCall): WaitingCall {
  return { toolCallId, toolName: tool.name, args };
}

/** A message in the place of what the tool would have returned. */
function told({ tool }: RunningCall, message: ToolMessage): unknown {
  return tool.responseFormat === 'content_and_artifact' ? [message, undefined] : message;
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.asyncIterator in value &&
    'next' in value &&
    typeof value.next === 'function'
  );
}

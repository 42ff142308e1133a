import { GraphInterrupt, interrupt, isGraphInterrupt } from '@langchain/langgraph';
import type { ApproverRole, AuthError, AuthErrorCode, Pause, Task } from '@outlive/core';
import type { UnansweredCall } from './refused-call.ts';
import { sha256Hex } from './task-binding.ts';

/** A call that waits, and what the model called it with. */
export interface WaitingCall extends UnansweredCall {
  readonly args: unknown;
}

/**
 * What a paused agent shows as the value of its interrupt: why it waits, for whom, and with which calls.
 *
 * Nothing in it is a secret, a URL or a scope. It has the fields of LangChain's human-in-the-loop requests, and those
 * of Agent Inbox beside them, so that what reads either shows it.
 */
export interface AuthInterrupt {
  readonly type: 'auth_required';
  readonly taskId: string;
  /** What `outlive.decide` takes. Absent when the pause could not be recorded. */
  readonly pauseId?: string;
  readonly code: AuthErrorCode;
  /** Who must confirm. */
  readonly requires: readonly ApproverRole[];
  readonly description: string;
  readonly calls: readonly UnansweredCall[];
  readonly actionRequests: readonly ActionRequest[];
  readonly reviewConfigs: readonly ReviewConfig[];
  readonly action_request: {
    readonly action: string;
    readonly args: Readonly<Record<string, unknown>>;
  };
  readonly config: {
    readonly allow_accept: true;
    readonly allow_ignore: true;
    readonly allow_edit: false;
    readonly allow_respond: false;
  };
}

/** A waiting call, as LangChain's human-in-the-loop middleware asks about it. */
export interface ActionRequest {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly description: string;
}

/** What may be answered about the calls of one tool. */
export interface ReviewConfig {
  readonly actionName: string;
  readonly allowedDecisions: readonly ('approve' | 'reject')[];
}

/** What people see instead of a tool's name when the task was paused as a whole. */
const wholeTask = 'continue_task';

/** The interrupt's value for a task that waits. */
export function authInterruptValue(
  task: Task,
  calls: readonly WaitingCall[],
  reason: { readonly pause?: Pause | undefined; readonly error?: AuthError | undefined },
): AuthInterrupt {
  const { pause, error } = reason;
  const pauseId = pause?.id ?? error?.ref;
  const code = pause?.reason.code ?? error?.code ?? 'task_paused';
  const description = error?.message ?? 'This task is paused and waits for a decision.';
  const shown = calls.length > 0 ? calls : [{ toolName: wholeTask, args: {} }];
  const actionRequests = shown.map(({ toolName, args }) => ({
    name: toolName,
    args: recordOf(args),
    description,
  }));
  const [first] = actionRequests;
  return {
    type: 'auth_required',
    taskId: task.id,
    ...(pauseId === undefined ? {} : { pauseId }),
    code,
    requires: pause?.requires ?? [],
    description,
    calls: calls.map(({ toolCallId, toolName }) => ({ toolCallId, toolName })),
    actionRequests,
    reviewConfigs: [...new Set(shown.map(({ toolName }) => toolName))].map((actionName) => ({
      actionName,
      allowedDecisions: ['approve', 'reject'],
    })),
    action_request: { action: first?.name ?? wholeTask, args: first?.args ?? {} },
    config: { allow_accept: true, allow_ignore: true, allow_edit: false, allow_respond: false },
  };
}

/** The interrupt with which a refused call leaves a graph that has no gate. */
export async function authInterrupt(
  task: Task,
  calls: readonly WaitingCall[],
  error: AuthError,
): Promise<GraphInterrupt> {
  const pause = task.currentPause;
  const value = authInterruptValue(task, calls, { pause, error });
  return new GraphInterrupt([{ id: await ownInterruptId(value), value }]);
}

/** What people have answered an interrupt with, and how to wait for more. */
export interface InterruptAnswers {
  readonly values: readonly unknown[];
  /** The id under which the next answer will come; none where LangGraph keeps no state. */
  readonly nextId: string | undefined;
}

/**
 * Takes all answers that this node was resumed with.
 *
 * All of them, and also when nothing is waited for any more: an answer that is left over would go to the next
 * `interrupt()` of a tool that runs in the same task, as if it had been meant for that.
 */
export function takeAnswers(value: AuthInterrupt): InterruptAnswers {
  const values: unknown[] = [];
  for (;;) {
    try {
      values.push(interrupt(value));
    } catch (error) {
      if (isGraphInterrupt(error as GraphInterrupt))
        return { values, nextId: (error as GraphInterrupt).interrupts[0]?.id };
      if (isMissingCheckpointer(error)) return { values, nextId: undefined };
      throw error;
    }
  }
}

/** The ids of calls that the answers decline. That is all an answer can do: it carries no authority. */
export function declinedIn(
  answers: readonly unknown[],
  calls: readonly UnansweredCall[],
): ReadonlySet<string> {
  return new Set(answers.flatMap((answer) => declinedBy(answer, calls)));
}

/** The interrupt of a graph that LangGraph keeps no state of: the app keeps the conversation. */
export class StatelessInterrupt extends GraphInterrupt {}

/** The interrupt of a node that goes on waiting: resumable under the id that LangGraph knows, if it keeps state. */
export async function waitFor(
  value: AuthInterrupt,
  nextId: string | undefined,
): Promise<GraphInterrupt> {
  return nextId === undefined
    ? new StatelessInterrupt([{ id: await ownInterruptId(value), value }])
    : new GraphInterrupt([{ id: nextId, value }]);
}

/** The same in every process, and in the form that LangGraph takes for an id: 32 hexadecimal digits. */
async function ownInterruptId({ taskId, pauseId, calls }: AuthInterrupt): Promise<string> {
  const place = pauseId ?? `${taskId} ${calls.map(({ toolCallId }) => toolCallId).join(' ')}`;
  return (await sha256Hex(`outlive interrupt ${place}`)).slice(0, 32);
}

function declinedBy(answer: unknown, calls: readonly UnansweredCall[]): readonly string[] {
  if (typeof answer !== 'object' || answer === null) return [];
  const ids = calls.map(({ toolCallId }) => toolCallId);
  // Agent Inbox answers with a list of one.
  if (Array.isArray(answer)) return answer.flatMap((one) => declinedBy(one, calls));
  if ('decline' in answer && Array.isArray(answer.decline))
    return ids.filter((id) => (answer.decline as unknown[]).includes(id));
  if ('decisions' in answer && Array.isArray(answer.decisions)) {
    const decisions: readonly unknown[] = answer.decisions;
    return ids.filter((_id, index) => typeOf(decisions[index]) === 'reject');
  }
  return typeOf(answer) === 'ignore' ? ids : [];
}

function typeOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
}

function recordOf(args: unknown): Readonly<Record<string, unknown>> {
  return typeof args === 'object' && args !== null && !Array.isArray(args)
    ? (args as Readonly<Record<string, unknown>>)
    : { input: args };
}

function isMissingCheckpointer(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'lc_error_code' in error &&
    error.lc_error_code === 'MISSING_CHECKPOINTER'
  );
}

import type { BaseMessage, ToolMessage } from '@langchain/core/messages';
import { AuthError, type Pause, type Requirement } from '@outlive/core';
import {
  authInterruptValue,
  declinedIn,
  StatelessInterrupt,
  takeAnswers,
  waitFor,
} from './auth-interrupt.ts';
import { type LastCall, lastCallsOf } from './last-calls.ts';
import { neededResources } from './needed-resources.ts';
import { declinedMessage, happenedMessage, markOf, saysHappened } from './refused-call.ts';
import type { RunGuard } from './run-guard.ts';
import type { TaskBinding } from './task-binding.ts';

/** What a gate has to do with the conversation that it let pass. */
export interface Passage {
  /** Calls that run again now. None: the model gets its turn. */
  readonly rerun: readonly LastCall[];
  /** What the model is told about calls that do not run: a person refused them, or knows that they have happened. */
  readonly answers: readonly ToolMessage[];
}

/** What a gate is asked about. */
export interface GateRequest {
  readonly binding: TaskBinding;
  readonly thread: string | undefined;
  readonly messages: readonly BaseMessage[];
  /** A conversation inside of another one: of a sub-agent. */
  readonly isNested: boolean;
}

/**
 * Stands before the model's next turn. Nothing was refused: the turn may be taken. Something was: this throws the
 * interrupt that pauses the graph, until people have decided; then it answers which calls run again.
 *
 * Whether the task may go on is asked of the store, each time. What the graph is resumed with carries no authority.
 *
 * @throws {GraphInterrupt} while the task waits.
 * @throws {AuthError} when it has ended, or when the calls that wait are not this task's to run.
 */
export async function passGate(request: GateRequest): Promise<Passage> {
  return pass(request, true);
}

async function pass(request: GateRequest, reserve: boolean): Promise<Passage> {
  const { binding, thread, messages, isNested } = request;
  const waiting = await lookAt(request);
  if (waiting === undefined) return { rerun: [], answers: [] };
  const guard = await binding.guard(thread);
  try {
    return await resumeOrWait(request, guard, waiting, reserve);
  } catch (error) {
    const isKept = isNested || !(error instanceof StatelessInterrupt);
    const stop = { runId: guard.run.id, calls: waiting.calls };
    binding.leave(thread, isKept ? stop : { ...stop, messages });
    throw error;
  }
}

/** What stands in the way of the model's next turn; nothing, when it may be taken. */
export async function lookAt({
  binding,
  thread,
  messages,
}: GateRequest): Promise<Waiting | undefined> {
  const guard = await binding.guard(thread);
  const calls = lastCallsOf(messages);
  assertSameTask(calls, binding);
  const waiting = await waitingCalls(guard, calls);
  // Asked each time, and of the store: another process may have stopped the task.
  const mayContinue = await guard.run.mayContinue();
  if (waiting.calls.length > 0 || !mayContinue) return waiting;
  guard.pass();
  return undefined;
}

/** The calls that wait; none when the task as a whole does. */
export interface Waiting {
  readonly calls: readonly LastCall[];
  /** Set when one of them was refused in this very invocation: nobody can have decided yet. */
  readonly fresh: AuthError | undefined;
  /** Those that a person has refused already, which the conversation does not say yet. */
  readonly declined: ReadonlySet<string>;
}

/** The calls of the last turn that got no authority, as this process saw it, or as the store knows. */
async function waitingCalls(guard: RunGuard, calls: readonly LastCall[]): Promise<Waiting> {
  const elsewhere = calls.filter(({ toolCallId }) => !guard.hasMet(toolCallId));
  const stored = await guard.task.storedCalls({
    runId: guard.run.id,
    toolCallIds: elsewhere.map(({ toolCallId }) => toolCallId),
  });
  let fresh: AuthError | undefined;
  const declined = stored.flatMap(({ status, toolCallId }) =>
    status === 'declined' ? [toolCallId] : [],
  );
  const waiting = calls.filter(({ toolCallId, answer }) => {
    const error = guard.refusalOf(toolCallId)?.error;
    fresh ??= error;
    if (guard.hasMet(toolCallId)) return error !== undefined;
    const known = stored.find((one) => one.toolCallId === toolCallId);
    if (known === undefined) return false;
    // There is no answer to go on with but the refusal, whatever became of the call since.
    if (answer === undefined || markOf(answer) !== undefined) return true;
    if (known.happened === true) return !saysHappened(answer);
    return known.code !== undefined && (known.status === 'refused' || known.status === 'unknown');
  });
  return { calls: waiting, fresh, declined: new Set(declined) };
}

async function resumeOrWait(
  { binding }: GateRequest,
  guard: RunGuard,
  { calls, fresh, declined: known }: Waiting,
  reserve: boolean,
): Promise<Passage> {
  const { task } = guard;
  // Without a pause nobody can decide: the store was away, or the call was not this run's to make.
  if (fresh !== undefined && fresh.ref === undefined && task.status === 'active') throw fresh;
  const { values, nextId } = takeAnswers(
    authInterruptValue(task, calls, { pause: task.currentPause, error: fresh }),
  );
  const wait = async (pause: Pause | undefined): Promise<never> => {
    const value = authInterruptValue(task, calls, {
      pause: pause ?? task.currentPause,
      error: fresh,
    });
    throw await waitFor(value, nextId);
  };
  if (fresh !== undefined && task.status !== 'active') await throwIfEnded(guard);
  if (fresh !== undefined) await wait(undefined);

  const declinedIds = new Set([
    ...known,
    ...declinedIn(values, calls),
    ...(binding.options.decline ?? []),
  ]);
  const resources = await neededResources(task, {
    runId: guard.run.id,
    calls,
    declined: declinedIds,
  });
  const resumed = await task.resume(resources && { resources });
  if (resumed.status === 'waiting') await wait(resumed.pause);
  if (resumed.status === 'ended')
    throw new AuthError('task_ended', { reason: String(resumed.taskStatus) });

  const happened = await happenedCalls(guard, calls);
  const open = calls.filter((call) => !happened.includes(call));
  const declined = open.filter(({ toolCallId }) => declinedIds.has(toolCallId));
  const rerun = open.filter(({ toolCallId }) => !declinedIds.has(toolCallId));
  const run = await task.resumeRun({
    runId: guard.run.id,
    toolCallIds: reserve ? rerun.map(({ toolCallId }) => toolCallId) : [],
    decline: declined.map(({ toolCallId }) => toolCallId),
    takeOver: binding.options.takeOver === true,
  });
  // Nobody can tell whether one of the calls had its effect already: a person is asked first.
  if (reserve && run.resumableCalls.size < rerun.length) await wait(task.currentPause);
  if (run.halted) throw new AuthError('task_ended', { reason: 'the task is out of time' });
  const again = rerun.map(({ toolCallId }) => toolCallId);
  guard.goOn(run, reserve ? again : []);
  guard.pass();
  if (!reserve) guard.lookUp(again);
  for (const { toolCallId } of happened) guard.markHappened(toolCallId);
  const answers = [
    ...declined.map((call) => declinedMessage(call, call.answer?.id)),
    ...happened.map((call) => happenedMessage(call, call.answer?.id)),
  ];
  return { rerun, answers };
}

/** The calls of which people have said that they had their effect. They are not reserved, and nobody declines them. */
async function happenedCalls(
  { task, run }: RunGuard,
  calls: readonly LastCall[],
): Promise<readonly LastCall[]> {
  const toolCallIds = calls.map(({ toolCallId }) => toolCallId);
  const stored = await task.storedCalls({ runId: run.id, toolCallIds });
  return calls.filter(({ toolCallId }) =>
    stored.some((one) => one.toolCallId === toolCallId && one.happened === true),
  );
}

/**
 * Asks for the authority of the calls that the model has just made, before any of them runs. Resolves to what the
 * model is told about those that do not run.
 *
 * Nothing is reserved here: other middleware may ask people about the calls first. Each is when it runs.
 *
 * @throws {GraphInterrupt} one for all of the calls that have none, while the task waits.
 * @throws {AuthError} as {@link passGate}.
 */
export async function checkCalls(
  request: GateRequest,
  requirements: ReadonlyMap<string, Requirement>,
): Promise<readonly ToolMessage[]> {
  const { answers } = await pass(request, false);
  const guard = await request.binding.guard(request.thread);
  const refusals = await Promise.all(
    lastCallsOf(request.messages).map(async (call) => {
      const { toolCallId, toolName, args, answer } = call;
      const requirement = requirements.get(toolName);
      const isAnswered = answers.some((message) => message.tool_call_id === toolCallId);
      if (requirement === undefined || answer !== undefined || isAnswered) return undefined;
      const checked = guard.run.call({ requirement, toolName, toolCallId, input: args });
      const error = await checked.check();
      if (error !== undefined) guard.refuse(call, error);
      return error;
    }),
  );
  if (refusals.some((error) => error !== undefined)) await pass(request, false);
  return answers;
}

async function throwIfEnded(guard: RunGuard): Promise<void> {
  const { status } = guard.task;
  if (status !== 'paused') throw new AuthError('task_ended', { reason: status });
}

/** A task goes on with its own calls only: another principal's agent must not finish them. */
function assertSameTask(calls: readonly LastCall[], { task }: TaskBinding): void {
  for (const { answer, toolCallId } of calls) {
    const mark = markOf(answer);
    if (mark !== undefined && mark.taskId !== task.id)
      throw new AuthError('not_resumable', { detail: `call ${toolCallId} waits for another task` });
  }
}

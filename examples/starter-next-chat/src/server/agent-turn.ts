import { type PausedRun, resumeTask, type StreamRun, withTask } from '@outlive/ai-sdk';
import { interruptBeforeTask, interruptOf, writeInterrupt } from '@outlive/ai-sdk/ui';
import { AuthError, type Task, toolRequirements } from '@outlive/core';
import {
  convertToModelMessages,
  isStepCount,
  type ModelMessage,
  smoothStream,
  streamText,
  type TextStreamPart,
  toUIMessageStream,
  type UIMessageStreamWriter,
} from 'ai';
import type { ChatMessage } from '../chat/chat-message.ts';
import { declinedInstructions, instructions } from './instructions.ts';
import { chatModel } from './model.ts';
import { outlive } from './runtime.ts';
import { tools } from './tools.ts';

type Writer = UIMessageStreamWriter<ChatMessage>;

/** Writes what the agent says in one turn; answers the run that waits, if it was paused. */
export type Turn = (writer: Writer) => Promise<PausedRun | undefined>;

const expectedDurationMs = 10 * 60_000;

/** A turn as a task of its own. */
export async function startTurn(
  writer: Writer,
  owner: string,
  messages: readonly ChatMessage[],
): Promise<PausedRun | undefined> {
  let task: Task;
  try {
    task = await outlive().startTask({
      principal: { subject: owner },
      agent: 'desk-chat',
      requirements: toolRequirements(tools),
      expectedDurationMs,
    });
  } catch (error) {
    // There is no account yet, or it may not be used now: the person is told, and the model is not.
    if (!AuthError.is(error)) throw error;
    writeInterrupt(writer, interruptBeforeTask(error));
    return undefined;
  }
  const loop = { ...(await settings()), messages: await conversation(messages) };
  return follow(writer, task.id, withTask(task, streamText)(loop));
}

/** Goes on with a paused run, if the task may: exactly the refused calls run again. */
export async function resumeTurn(
  writer: Writer,
  owner: string,
  paused: PausedRun,
  decline: readonly string[],
): Promise<PausedRun | undefined> {
  // Whatever becomes of the decision, `resumeTask` says how the task stands now.
  await outlive().decide(paused.pauseId, { decision: 'resume', by: owner });
  const run = await resumeTask(outlive(), paused, streamText, { decline })(await settings());
  if (run.stream !== undefined) return follow(writer, paused.taskId, run);
  if (run.status === 'paused') {
    writeInterrupt(writer, interruptOf(run));
    return run.state;
  }
  writer.write({ type: 'error', errorText: `The task is ${run.status}.` });
  return undefined;
}

/**
 * Goes on without the calls that waited, which the person declined: the model is told, and what was done stays done.
 * Where that may not be, because somebody else has to confirm or the task waits as a whole, the task ends.
 */
export async function declinedTurn(
  writer: Writer,
  owner: string,
  paused: PausedRun,
  messages: readonly ChatMessage[],
): Promise<PausedRun | undefined> {
  const decline = paused.pending.map(({ toolCallId }) => toolCallId);
  if (decline.length > 0) {
    await outlive().decide(paused.pauseId, { decision: 'resume', by: owner });
    const run = await resumeTask(outlive(), paused, streamText, { decline })(await settings());
    if (run.stream !== undefined) return follow(writer, paused.taskId, run);
  }
  await cancelTask(owner, paused);
  return turnWithoutTask(writer, messages);
}

/** The model learns that there is no access. Without a task its tools refuse. */
export async function turnWithoutTask(
  writer: Writer,
  messages: readonly ChatMessage[],
): Promise<undefined> {
  const { stream } = streamText({
    ...(await settings()),
    instructions: `${instructions} ${declinedInstructions}`,
    messages: await conversation(messages),
  });
  writer.merge(toUIMessageStream({ stream }));
}

/** Ends the task of a run that nobody goes on with. */
export async function cancelTask(owner: string, { pauseId }: PausedRun): Promise<void> {
  await outlive().decide(pauseId, { decision: 'cancel', by: owner });
}

async function follow(
  writer: Writer,
  taskId: string,
  run: StreamRun<{ readonly stream: ReadableStream<TextStreamPart<typeof tools>> }>,
): Promise<PausedRun | undefined> {
  // Written and not merged: an interrupt comes behind the calls that it speaks of.
  const { stream } = run.stream;
  for await (const chunk of toUIMessageStream<typeof tools, ChatMessage>({ stream }))
    writer.write(chunk);
  const outcome = await run.outcome;
  const task = await outlive().task(taskId);
  switch (outcome.status) {
    case 'completed':
      await task?.complete();
      return undefined;
    case 'paused':
      writeInterrupt(writer, interruptOf(outcome));
      return outcome.state;
    case 'failed':
      // The stream says so itself.
      await task?.fail('the run failed');
      return undefined;
    default:
      writer.write({ type: 'error', errorText: `The task is ${outcome.status}.` });
      return undefined;
  }
}

async function settings() {
  return {
    model: await chatModel(),
    instructions,
    tools,
    stopWhen: isStepCount(20),
    experimental_transform: smoothStream<typeof tools>({ delayInMs: 15 }),
  };
}

/** What the model reads of a chat: no message that only interrupted it, and no call that nobody answered. */
async function conversation(messages: readonly ChatMessage[]): Promise<ModelMessage[]> {
  const said = messages.filter(({ parts }) =>
    parts.some(({ type }) => type !== 'step-start' && !type.startsWith('data-')),
  );
  return convertToModelMessages(said, { ignoreIncompleteToolCalls: true });
}

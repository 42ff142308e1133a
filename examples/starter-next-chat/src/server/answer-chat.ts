import { type PausedRun, resumeTask, withTask } from '@outlive/ai-sdk';
import { interruptBeforeTask, interruptOf, takeAnswers, writeInterrupt } from '@outlive/ai-sdk/ui';
import { AuthError, type RunOutcome, toolRequirements } from '@outlive/core';
import {
  consumeStream,
  convertToModelMessages,
  createUIMessageStream,
  createUIMessageStreamResponse,
  isStepCount,
  type ModelMessage,
  smoothStream,
  streamText,
  type UIMessageStreamWriter,
} from 'ai';
import type { ChatMessage } from '../chat/chat-message.ts';
import { type StoredChat, saveChat } from './chat-store.ts';
import { declinedInstructions, instructions } from './instructions.ts';
import { chatModel } from './model.ts';
import { outlive } from './runtime.ts';
import { tools } from './tools.ts';

type Writer = UIMessageStreamWriter<ChatMessage>;
/** Writes the answer of one turn; answers the run that waits, if it was paused. */
type Turn = (writer: Writer) => Promise<PausedRun | undefined>;

const expectedDurationMs = 10 * 60_000;

/** Answers what a person typed, or goes on after they have answered an interrupt. */
export async function answerChat(chat: StoredChat, received: ChatMessage): Promise<Response> {
  const next =
    received.role === 'user' ? await newTurn(chat, received) : answeredTurn(chat, received);
  if (next === undefined)
    return new Response('This was answered already. Reload the page.', { status: 409 });
  const { messages, turn } = next;
  const { id, owner } = chat;
  // Kept before the answer begins: a reload in the middle of it shows what was asked.
  await saveChat({ ...chat, messages });

  let paused: PausedRun | undefined;
  const stream = createUIMessageStream<ChatMessage>({
    originalMessages: messages,
    generateId: () => crypto.randomUUID(),
    async execute({ writer }) {
      paused = await turn(writer);
    },
    onEnd: ({ messages: answered }) =>
      saveChat({ id, owner, messages: answered, ...(paused !== undefined && { paused }) }),
  });
  // Reads on when the browser goes away, so that the run ends and is kept.
  return createUIMessageStreamResponse({ stream, consumeSseStream: consumeStream });
}

interface NextTurn {
  readonly messages: ChatMessage[];
  readonly turn: Turn;
}

/** Who types instead of answering leaves what waits: that task is cancelled, and another one begins. */
async function newTurn(chat: StoredChat, received: ChatMessage): Promise<NextTurn> {
  if (chat.paused !== undefined) await cancel(chat, chat.paused);
  const text = received.parts.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n');
  const asked: ChatMessage = { id: received.id, role: 'user', parts: [{ type: 'text', text }] };
  const messages = [...chat.messages, asked];
  return { messages, turn: (writer) => startTask(writer, chat.owner, messages) };
}

/** Nothing when there is no whole answer to what the server asked. */
function answeredTurn(chat: StoredChat, received: ChatMessage): NextTurn | undefined {
  const stored = chat.messages.at(-1);
  if (stored === undefined) return undefined;
  const { message, answer, declined } = takeAnswers(stored, received);
  if (answer === undefined) return undefined;
  const messages = [...chat.messages.slice(0, -1), message];
  return {
    messages,
    async turn(writer) {
      const { paused, owner } = chat;
      if (answer === 'decline') {
        if (paused !== undefined) await cancel(chat, paused);
        return withoutTask(writer, messages);
      }
      return paused === undefined
        ? startTask(writer, owner, messages)
        : resume(writer, owner, paused, declined);
    },
  };
}

async function startTask(
  writer: Writer,
  owner: string,
  messages: ChatMessage[],
): Promise<PausedRun | undefined> {
  try {
    const task = await outlive().startTask({
      principal: { subject: owner },
      agent: 'desk-chat',
      requirements: toolRequirements(tools),
      expectedDurationMs,
    });
    const run = withTask(
      task,
      streamText,
    )({ ...(await settings()), messages: await conversation(messages) });
    writer.merge(run.stream.toUIMessageStream());
    return await conclude(writer, task.id, await run.outcome);
  } catch (error) {
    // There is no account yet, or its access has ended: the person is asked, and the model is not.
    if (!AuthError.is(error) || error.recovery !== 'user') throw error;
    writeInterrupt(writer, interruptBeforeTask(error));
    return undefined;
  }
}

async function resume(
  writer: Writer,
  owner: string,
  paused: PausedRun,
  decline: readonly string[],
): Promise<PausedRun | undefined> {
  // Whatever becomes of the decision, `resumeTask` says how the task stands now.
  await outlive().decide(paused.pauseId, { decision: 'resume', by: owner });
  const run = await resumeTask(outlive(), paused, streamText, { decline })(await settings());
  if (run.stream === undefined) return conclude(writer, paused.taskId, run);
  writer.merge(run.stream.toUIMessageStream());
  return conclude(writer, paused.taskId, await run.outcome);
}

/** The model learns that the person declined. Without a task its tools refuse. */
async function withoutTask(writer: Writer, messages: ChatMessage[]): Promise<undefined> {
  const stream = streamText({
    ...(await settings()),
    instructions: `${instructions} ${declinedInstructions}`,
    messages: await conversation(messages),
  });
  writer.merge(stream.toUIMessageStream());
  return undefined;
}

async function conclude(
  writer: Writer,
  taskId: string,
  outcome: RunOutcome<unknown, PausedRun>,
): Promise<PausedRun | undefined> {
  const task = await outlive().task(taskId);
  switch (outcome.status) {
    case 'completed':
      await task?.complete();
      return undefined;
    case 'paused':
      writeInterrupt(writer, interruptOf(outcome));
      return outcome.state;
    case 'failed':
      await task?.fail('the run failed');
      writer.write({ type: 'error', errorText: 'The run failed.' });
      return undefined;
    default:
      writer.write({ type: 'error', errorText: `The task is ${outcome.status}.` });
      return undefined;
  }
}

async function cancel({ owner }: StoredChat, { pauseId }: PausedRun): Promise<void> {
  await outlive().decide(pauseId, { decision: 'cancel', by: owner });
}

async function settings() {
  return {
    model: await chatModel(),
    instructions,
    tools,
    stopWhen: isStepCount(20),
    experimental_transform: smoothStream({ delayInMs: 15 }),
  };
}

/** What the model reads of a chat: without messages that only interrupted it, and without calls that nobody answered. */
async function conversation(messages: readonly ChatMessage[]): Promise<ModelMessage[]> {
  const said = messages.filter(({ parts }) =>
    parts.some(({ type }) => type !== 'step-start' && !type.startsWith('data-')),
  );
  return convertToModelMessages(said, { ignoreIncompleteToolCalls: true });
}

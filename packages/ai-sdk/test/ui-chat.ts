import type { Outlive } from '@outlive/core';
import type { TestLanguageModel } from '@outlive/testing';
import {
  AbstractChat,
  type ChatState,
  type ChatStatus,
  convertToModelMessages,
  createUIMessageStream,
  createUIMessageStreamResponse,
  DefaultChatTransport,
  stepCountIs,
  streamText,
  type ToolSet,
  type UIMessage,
} from 'ai';
import { type PausedRun, resumeTask, withTask } from '../src/index.ts';
import {
  type AnswerableChat,
  type AuthInterruptParts,
  continuesWhenAnswered,
  interruptOf,
  takeAnswers,
  writeInterrupt,
} from '../src/ui/index.ts';
import type { Story } from './support/world.ts';

export type Message = UIMessage<unknown, AuthInterruptParts>;

/** A server's route and what it keeps of a chat. */
export interface ChatServer {
  readonly messages: readonly Message[];
  readonly outcomes: readonly string[];
  /** Everything that went to the browser. */
  readonly sent: string;
  fetch: typeof globalThis.fetch;
}

/** A route as an app has it: one task for the chat, the conversation and the paused run kept on the server. */
export function createChatServer(
  { task, outlive, agree }: Pick<Story, 'task' | 'agree'> & { readonly outlive: Outlive },
  model: TestLanguageModel,
  tools: ToolSet,
): ChatServer {
  let messages: Message[] = [];
  let paused: PausedRun | undefined;
  const outcomes: string[] = [];
  let sent = '';
  const loop = { model, tools, stopWhen: stepCountIs(10) };

  async function start(received: Message) {
    const last = messages.at(-1);
    if (received.role === 'user' || last === undefined || paused === undefined) {
      messages = [...messages, received];
      return withTask(
        task,
        streamText,
      )({ ...loop, messages: await convertToModelMessages(messages) });
    }
    const { message, answer, declined } = takeAnswers(last, received);
    messages = [...messages.slice(0, -1), message];
    if (answer !== undefined) await agree(paused).catch(() => undefined);
    return await resumeTask(outlive, paused, streamText, { decline: declined })(loop);
  }

  async function post(body: { readonly messages: readonly Message[] }): Promise<Response> {
    const received = body.messages.at(-1);
    if (received === undefined) return new Response(null, { status: 400 });
    const run = await start(received);
    const stream = createUIMessageStream<Message>({
      originalMessages: messages,
      async execute({ writer }) {
        for await (const chunk of run.stream?.toUIMessageStream<Message>() ?? [])
          writer.write(chunk);
        const outcome = run.stream ? await run.outcome : run;
        outcomes.push(outcome.status);
        paused = outcome.status === 'paused' ? outcome.state : undefined;
        if (outcome.status === 'paused') writeInterrupt(writer, interruptOf(outcome));
      },
      onFinish: (finished) => {
        messages = finished.messages;
      },
    });
    const response = createUIMessageStreamResponse({ stream });
    const text = await response.text();
    sent += text;
    return new Response(text, response);
  }

  return {
    get messages() {
      return messages;
    },
    outcomes,
    get sent() {
      return sent;
    },
    fetch: (_url, init) => post(JSON.parse(String(init?.body))),
  };
}

/** The chat of one page: what `useChat` wraps, and what it returns. */
export class PageChat extends AbstractChat<Message> implements AnswerableChat<Message> {
  constructor(server: ChatServer, messages: readonly Message[] = []) {
    super({
      transport: new DefaultChatTransport({ api: 'https://app.example/chat', fetch: server.fetch }),
      sendAutomaticallyWhen: continuesWhenAnswered,
      state: new PageState(JSON.parse(JSON.stringify(messages))),
    });
  }

  setMessages(messages: Message[]): void {
    this.messages = messages;
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await (this.state as PageState).settled();
  }

  get parts(): readonly string[] {
    return (this.lastMessage?.parts ?? []).flatMap((part) => {
      if (part.type === 'text') return part.text;
      if ('toolCallId' in part) return `${part.toolCallId}:${part.state}`;
      return part.type === 'data-auth-interrupt'
        ? `interrupt:${part.data.answer ?? 'waiting'}`
        : [];
    });
  }
}

class PageState implements ChatState<Message> {
  messages: Message[];
  error: Error | undefined;
  #status: ChatStatus = 'ready';
  #waiting: (() => void)[] = [];

  constructor(messages: Message[]) {
    this.messages = messages;
  }

  get status(): ChatStatus {
    return this.#status;
  }

  set status(status) {
    this.#status = status;
    if (status === 'ready' || status === 'error')
      for (const done of this.#waiting.splice(0)) done();
  }

  settled(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pushMessage = (message: Message): void => {
    this.messages = [...this.messages, message];
  };
  popMessage = (): void => {
    this.messages = this.messages.slice(0, -1);
  };
  replaceMessage = (index: number, message: Message): void => {
    this.messages = this.messages.with(index, structuredClone(message));
  };
  snapshot = <Value>(value: Value): Value => structuredClone(value);
}

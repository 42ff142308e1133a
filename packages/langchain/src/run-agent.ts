import { IterableReadableStream } from '@langchain/core/utils/stream';
import { isInterrupted } from '@langchain/langgraph';
import { ConfigurationError } from '@outlive/core';
import { type AgentOutcome, conclude, type GraphEnd } from './outcome.ts';
import type { TaskBinding } from './task-binding.ts';
import { threadOf } from './tool-runtime.ts';

/** What `withTask` takes: an agent of `createAgent`, or a compiled graph. */
export interface AgentLike {
  invoke(...args: never[]): PromiseLike<unknown>;
  stream(...args: never[]): PromiseLike<unknown>;
}

/** An agent or a graph, seen from the outside. */
export interface GraphAgent {
  invoke(input: unknown, config: object): PromiseLike<unknown>;
  stream(input: unknown, config: object): PromiseLike<ReadableStream<unknown>>;
}

/** A started streaming run. */
export interface StreamRun<Stream> {
  /** LangGraph's stream: read it. */
  readonly stream: Stream;
  /** Settles when the stream has been read to its end, was cancelled, or failed. */
  readonly outcome: Promise<AgentOutcome<Stream>>;
}

/** What of LangGraph's config the adapter looks at. */
export interface InvokeConfig {
  readonly context?: object;
  readonly configurable?: Readonly<Record<string, unknown>>;
  readonly maxConcurrency?: number;
}

/** Invokes an agent for the task of a binding. */
export async function invokeAgent(
  binding: TaskBinding,
  agent: GraphAgent,
  input: unknown,
  config: InvokeConfig = {},
): Promise<AgentOutcome<unknown>> {
  assertConcurrency(config);
  const invocation = { binding, threadId: threadOf(config.configurable) };
  let end: GraphEnd<unknown>;
  try {
    end = { result: await agent.invoke(input, bound(config, binding)) };
  } catch (error) {
    end = { error };
  }
  return await conclude(invocation, end);
}

/** Streams an agent for the task of a binding. */
export async function streamAgent(
  binding: TaskBinding,
  agent: GraphAgent,
  input: unknown,
  config: InvokeConfig = {},
): Promise<StreamRun<unknown>> {
  assertConcurrency(config);
  const invocation = { binding, threadId: threadOf(config.configurable) };
  const { promise: ended, resolve } = Promise.withResolvers<GraphEnd<unknown>>();
  const source = await started(agent, input, bound(config, binding));
  const stream = IterableReadableStream.fromAsyncGenerator(watched(source, resolve));
  const outcome = ended.then(async (end) => {
    const concluded = await conclude(invocation, end);
    return concluded.status === 'completed' ? { ...concluded, result: stream } : concluded;
  });
  return { stream, outcome };
}

/** The chunks of a stream; `ended` hears how it ended, also when its reader goes away. */
async function* watched(
  source: ReadableStream<unknown>,
  ended: (end: GraphEnd<unknown>) => void,
): AsyncGenerator<unknown> {
  const reader = source.getReader();
  let interrupted: unknown;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (isInterrupted(value)) interrupted = value;
      yield value;
    }
    ended({ result: interrupted });
  } catch (error) {
    ended({ error });
    throw error;
  } finally {
    ended({ error: new DOMException('The stream was cancelled.', 'AbortError') });
    // Not awaited: the graph ends when what it does has ended, and the reader is gone. What fails then was told.
    reader.cancel().catch(() => undefined);
  }
}

/** LangGraph reads the first chunk before it answers: what stops a run there is told by the stream, too. */
async function started(
  agent: GraphAgent,
  input: unknown,
  config: object,
): Promise<ReadableStream<unknown>> {
  try {
    return await agent.stream(input, config);
  } catch (error) {
    return new ReadableStream({ start: (controller) => controller.error(error) });
  }
}

/** LangGraph then runs the first of the tasks of a step, and returns as if all of them had run. */
function assertConcurrency({ maxConcurrency }: InvokeConfig): void {
  if (maxConcurrency !== 1) return;
  throw new ConfigurationError(
    'config.maxConcurrency: expected none, or 2 or more, since with 1 LangGraph runs only the first call of a turn; got 1',
    ['config.maxConcurrency'],
  );
}

function bound(config: InvokeConfig, binding: TaskBinding): object {
  return { ...config, context: { ...config.context, task: binding } };
}

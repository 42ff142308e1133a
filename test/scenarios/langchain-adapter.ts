import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AIMessage, type BaseMessage } from '@langchain/core/messages';
import { type ClientTool, type ToolRuntime, tool } from '@langchain/core/tools';
import {
  END,
  isInterrupted,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  START,
  StateGraph,
} from '@langchain/langgraph';
import { createReactAgent, ToolNode, toolsCondition } from '@langchain/langgraph/prebuilt';
import type { BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import {
  type AgentOutcome,
  credentialGate,
  credentialMiddleware,
  type PausedRun,
  resumeTask,
  withCredential,
  withTask,
} from '@outlive/langchain';
import {
  callTool,
  createMisbehavingModel,
  createScriptedModel,
  type ModelTurn,
  say,
  type TestLanguageModel,
} from '@outlive/testing';
import { createAgent } from 'langchain';
import { z } from 'zod';
import { sqliteSaver } from '../../examples/langgraph-two-processes/src/sqlite-saver.ts';
import type {
  AdapterUnderTest,
  CredentialedTool,
  NeutralModel,
  NeutralRun,
  NeutralTool,
  RunParts,
  ScriptedCall,
  ScriptedTurn,
  SeenPrompt,
  ToolInput,
} from './adapter-under-test.ts';
import { TestChatModel } from './chat-model.ts';

/** The graphs that LangChain and LangGraph offer for an agent. */
export const graphs = [
  'createAgent v2',
  'createAgent v1',
  'createReactAgent v1',
  'createReactAgent v2',
  'StateGraph',
] as const;

/** Who keeps the conversation of a paused agent. */
export const keepers = ['SqliteSaver', 'no checkpointer'] as const;

/** `@outlive/langchain` with one graph, one way of running it, and one keeper of its state, as `graph, way, keeper`. */
export function createAdapter(name: string): AdapterUnderTest {
  const [graph = '', way = '', keeper = ''] = name.split(', ');
  return {
    name,
    module: import.meta.url,
    start: (task, { prompt, ...parts }) => {
      const place = keeper === 'SqliteSaver' ? newPlace() : undefined;
      const config = place === undefined ? {} : threadConfig;
      return observed(graph, place, parts, (agent) => {
        const bound = withTask(task, agent);
        const input = { messages: [{ role: 'user', content: prompt }] };
        return way === 'stream' ? read(bound.stream(input, config)) : bound.invoke(input, config);
      });
    },
    resume: (outlive, state, { decline = [], ...parts }) => {
      const { pausedRun, place, edits } = state as KeptRun;
      return observed(graph, place, parts, async (agent) => {
        await edit(agent, edits);
        const bound = resumeTask(outlive, pausedRun, agent, { decline });
        return way === 'stream' ? read(bound.stream({})) : bound.invoke({});
      });
    },
    callOutsideTask: async (description, input) =>
      defineCredentialed(description).invoke({
        ...{ type: 'tool_call', id: 'outside', name: description.name, args: { ...input } },
      }),
    alter(state, toolCallId, input) {
      const altered = structuredClone(state as KeptRun);
      altered.edits.push({ toolCallId, input });
      for (const { data } of altered.pausedRun.messages ?? [])
        for (const call of (data as { tool_calls?: { id: string; args: object }[] }).tool_calls ??
          [])
          if (call.id === toolCallId) call.args = input;
      return altered;
    },
  };
}

/** What an app keeps: the paused run, and where its checkpoints are. */
interface KeptRun {
  readonly pausedRun: PausedRun;
  readonly place?: string;
  /** What somebody has done to the conversation meanwhile. */
  readonly edits: { readonly toolCallId: string; readonly input: ToolInput }[];
}

/** An agent or a graph, whatever made it. */
export interface Agent {
  invoke(input: unknown, config?: object): Promise<{ readonly messages: BaseMessage[] }>;
  stream(input: unknown, config?: object): Promise<AsyncIterable<unknown>>;
}

type Outcome = AgentOutcome<unknown>;

const threadConfig = { configurable: { thread_id: 'thread' } };

let folder: string | undefined;
let places = 0;

/** Deletes the checkpoints of every run that was started in this process. */
export function deleteCheckpoints(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}

function newPlace(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'outlive-checkpoints-'));
  places += 1;
  return join(folder, `checkpoints-${places}.db`);
}

async function observed(
  graph: string,
  place: string | undefined,
  { tools, model: script }: RunParts,
  run: (agent: Agent) => Promise<Outcome>,
): Promise<NeutralRun> {
  const model = createModel(script);
  await using saver = place === undefined ? undefined : sqliteSaver(place);
  const agent = build(graph, new TestChatModel(model), defineTools(tools), saver);
  const traces: unknown[] = [];
  const outcome = await run(agent);
  const common = { ledger: outcome.ledger };
  const seen = { prompts: promptsOf(model), traces };
  switch (outcome.status) {
    case 'completed':
      traces.push(outcome.result);
      return {
        ...seen,
        outcome: { ...common, status: outcome.status, answer: answerOf(outcome.result) },
      };
    case 'paused': {
      traces.push(outcome.partialResult);
      const kept: KeptRun = {
        pausedRun: JSON.parse(JSON.stringify(outcome.state)),
        edits: [],
        ...(place === undefined ? {} : { place }),
      };
      return {
        ...seen,
        outcome: { ...common, status: outcome.status, pause: outcome.pause, state: kept },
      };
    }
    case 'failed':
      return { ...seen, outcome: { ...common, status: outcome.status, error: outcome.error } };
    case 'cancelled':
    case 'expired':
      return { ...seen, outcome: { ...common, status: outcome.status } };
    case 'interrupted':
      throw new Error('none of the tools asks anybody');
  }
}

/** Reads a stream to its end: that is what ends the run. */
async function read(
  streaming: Promise<
    | { readonly stream: unknown; readonly outcome: Promise<Outcome> }
    | (Outcome & { readonly stream?: never })
  >,
): Promise<Outcome> {
  const returned = await streaming;
  if (returned.stream === undefined) return returned as Outcome;
  const chunks: unknown[] = [];
  try {
    for await (const chunk of returned.stream as AsyncIterable<unknown>) chunks.push(chunk);
  } catch (error) {
    // LangGraph's streams throw what stopped them; the outcome tells it too.
    chunks.push(error);
  }
  const outcome = await (returned as { readonly outcome: Promise<Outcome> }).outcome;
  if (outcome.status === 'completed') return { ...outcome, result: chunks };
  return outcome.status === 'paused' ? { ...outcome, partialResult: chunks } : outcome;
}

/** The model's last words, in a result or in the chunks of a stream of updates or values. */
function answerOf(result: unknown): string {
  const states = Array.isArray(result) ? (result as Record<string, unknown>[]) : [result as object];
  const messages = states.flatMap((state) =>
    isInterrupted(state)
      ? []
      : [state, ...Object.values(state)].flatMap((part: unknown) =>
          typeof part === 'object' && part !== null && 'messages' in part
            ? (part.messages as BaseMessage[])
            : [],
        ),
  );
  return messages.findLast((message) => AIMessage.isInstance(message))?.text ?? '';
}

async function edit(agent: Agent, edits: KeptRun['edits']): Promise<void> {
  const graph = (agent as { graph?: unknown }).graph ?? agent;
  const { getState, updateState } = graph as {
    getState(config: object): Promise<{ values: { messages: BaseMessage[] } }>;
    updateState(config: object, values: object, asNode: string): Promise<unknown>;
  };
  for (const { toolCallId, input } of edits) {
    const state = await getState.call(graph, threadConfig).catch(() => undefined);
    const message = state?.values.messages
      ?.filter((one) => AIMessage.isInstance(one))
      .find((one) => one.tool_calls?.some(({ id }) => id === toolCallId));
    if (message === undefined) continue;
    for (const call of message.tool_calls ?? [])
      if (call.id === toolCallId) call.args = { ...input };
    await updateState.call(graph, threadConfig, { messages: [message] }, 'tools');
  }
}

/** Makes an agent of one of the graphs. */
export function build(
  graph: string,
  llm: TestChatModel,
  tools: ClientTool[],
  saver: BaseCheckpointSaver | undefined,
): Agent {
  const kept = saver === undefined ? {} : { checkpointer: saver };
  const version = graph.endsWith('v1') ? 'v1' : 'v2';
  if (graph.startsWith('createAgent'))
    return createAgent({
      ...{ model: llm, tools, version, middleware: [credentialMiddleware()] },
      ...kept,
    }) as Agent;
  if (graph.startsWith('createReactAgent'))
    return createReactAgent({
      ...{ llm, tools, version, preModelHook: credentialGate({ tools }) },
      ...kept,
    }) as Agent;
  const callModel = async (
    { messages }: typeof MessagesAnnotation.State,
    config: LangGraphRunnableConfig,
  ) => ({ messages: [await llm.invoke(messages, config)] });
  return new StateGraph(MessagesAnnotation)
    .addNode('gate', credentialGate({ tools }))
    .addNode('model', callModel)
    .addNode('tools', new ToolNode(tools))
    .addEdge(START, 'gate')
    .addEdge('gate', 'model')
    .addConditionalEdges('model', toolsCondition, ['tools', END])
    .addEdge('tools', 'gate')
    .compile(kept) as Agent;
}

function createModel(script: NeutralModel): TestLanguageModel {
  if ('turns' in script) return createScriptedModel(scriptOf(script.turns));
  const { plan, whenToolFails, alternativeTool } = script;
  return createMisbehavingModel({
    plan: plan.map((calls) => calls.map(scripted)),
    whenToolFails,
    alternativeTool,
  });
}

/** Turns as a scripted model takes them. */
export function scriptOf(turns: readonly ScriptedTurn[]): readonly ModelTurn[] {
  return turns.map((turn) => (typeof turn === 'string' ? say(turn) : turn.map(scripted)));
}

function scripted({ tool, id, about = id }: ScriptedCall): ReturnType<typeof callTool> {
  return callTool(tool, { about }, id);
}

const schema = z.object({ about: z.string() });

/** The tools of the scenarios, as users of LangChain define them. */
export function defineTools(descriptions: readonly NeutralTool[]): ClientTool[] {
  return descriptions.map((description) =>
    description.requirement === undefined
      ? tool(
          (input: ToolInput, { toolCallId }: ToolRuntime) => description.run(input, toolCallId),
          {
            name: description.name,
            description: description.name,
            schema,
          },
        )
      : defineCredentialed(description),
  );
}

function defineCredentialed({ name, requirement, run }: CredentialedTool) {
  return withCredential(
    requirement,
    (input, { principal, toolCallId }) => run(principal, input, toolCallId),
    { name, description: name, schema },
  );
}

function promptsOf({ prompts }: TestLanguageModel): readonly SeenPrompt[] {
  return prompts.map((prompt) => ({
    text: JSON.stringify(prompt),
    results: prompt.flatMap(({ content }) =>
      (typeof content === 'string' ? [] : content).flatMap(({ type, toolCallId = '', output }) =>
        type === 'tool-result' && output !== undefined
          ? [{ toolCallId, text: String(output.value), isError: output.type === 'error-text' }]
          : [],
      ),
    ),
  }));
}

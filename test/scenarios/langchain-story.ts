import assert from 'node:assert/strict';
import { AIMessage, type BaseMessage, ToolMessage } from '@langchain/core/messages';
import type { ClientTool } from '@langchain/core/tools';
import {
  Command,
  INTERRUPT,
  type Interrupt,
  isInterrupted,
  MemorySaver,
} from '@langchain/langgraph';
import type { Task } from '@outlive/core';
import type { AuthInterrupt } from '@outlive/langchain';
import { createScriptedModel, type TestLanguageModel } from '@outlive/testing';
import type { ScriptedTurn } from './adapter-under-test.ts';
import { TestChatModel } from './chat-model.ts';
import { type Agent, build, defineTools, scriptOf } from './langchain-adapter.ts';
import { scopes } from './scenario-runtime.ts';
import type { ScenarioWorld } from './scenario-world.ts';

/** What LangGraph returns: a state, with the interrupts of a graph that waits. */
export interface Returned {
  readonly messages: BaseMessage[];
  readonly [INTERRUPT]?: readonly Interrupt<AuthInterrupt>[];
}

/** One agent in one thread that LangGraph keeps in memory, as an app uses it: with the task in the context. */
export interface Story {
  readonly model: TestLanguageModel;
  readonly agent: Agent;
  invoke(input: unknown, task?: Task): Promise<Returned>;
  /** Asks the agent, which then runs until it waits or ends. */
  ask(text?: string, task?: Task): Promise<Returned>;
}

/** What a story is made of. */
export interface StoryParts {
  readonly graph?: string;
  readonly turns: readonly ScriptedTurn[];
  /** Tools beside those of the scenarios. */
  readonly tools?: readonly ClientTool[];
  readonly make?: (llm: TestChatModel, tools: ClientTool[], saver: MemorySaver) => Agent;
}

/** Makes a story of a task. */
export function tell(world: Pick<ScenarioWorld, 'tools'>, task: Task, parts: StoryParts): Story {
  const { graph = 'createAgent v2', turns, tools = [], make } = parts;
  const model = createScriptedModel(scriptOf(turns));
  const llm = new TestChatModel(model);
  const saver = new MemorySaver();
  const all = [...defineTools(world.tools), ...tools];
  const agent = make === undefined ? build(graph, llm, all, saver) : make(llm, all, saver);
  const invoke: Story['invoke'] = async (input, actingFor = task) =>
    (await agent.invoke(input, {
      configurable: { thread_id: 'thread' },
      context: { task: actingFor },
    })) as Returned;
  return {
    model,
    agent,
    invoke,
    ask: (text = 'Pay what is due.', actingFor = task) =>
      invoke({ messages: [{ role: 'user', content: text }] }, actingFor),
  };
}

/** The one interrupt with which a graph waits. */
export function interruptOf(returned: Returned): Interrupt<AuthInterrupt> {
  const [interrupt] = isInterrupted(returned) ? (returned[INTERRUPT] ?? []) : [];
  if (interrupt === undefined) throw new Error('the graph does not wait');
  return interrupt as Interrupt<AuthInterrupt>;
}

/** The id of the pause for which a graph waits. */
export function pauseIdOf(returned: Returned): string {
  const pauseId = interruptOf(returned).value?.pauseId;
  if (pauseId === undefined) throw new Error('the graph does not wait for a pause');
  return pauseId;
}

/** A task whose account is disconnected, as it already knows. */
export async function disconnectedTask(world: ScenarioWorld): Promise<Task> {
  const task = await world.startTask();
  await world.disconnect();
  const reading = { resource: 'billing', scopes: ['billing.see'], effect: 'read' } as const;
  const { generation } = await task.getAccessToken(reading);
  await assert.rejects(task.getAccessToken(reading, { rejectedGeneration: generation }));
  return task;
}

/** Everything that a refused payment waits for. */
export async function letPay(world: ScenarioWorld, returned: Returned): Promise<void> {
  await world.reconnect(scopes);
  await world.approve(pauseIdOf(returned));
}

/** The ways in which LangGraph resumes a graph. */
export const resumptions: Readonly<
  Record<string, (returned: Returned, answer: unknown) => Command | null>
> = {
  'a plain Command': (_returned, answer) => new Command({ resume: answer }),
  'a Command by the id of the interrupt': (returned, answer) =>
    new Command({ resume: { [interruptOf(returned).id ?? '']: answer } }),
  'invoke(null)': () => null,
};

/** The conversation as `role text -> calls`, in its order. */
export function spoken({ messages }: Returned): readonly string[] {
  return messages.map((message) => {
    const calls = AIMessage.isInstance(message)
      ? (message.tool_calls ?? []).map(({ id }) => ` -> ${id}`).join('')
      : '';
    const of = ToolMessage.isInstance(message) ? ` ${message.tool_call_id}` : '';
    return `${message.type}${of}: ${message.text}${calls}`;
  });
}

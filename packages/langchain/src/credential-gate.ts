import { type BaseMessage, ToolMessage } from '@langchain/core/messages';
import type { ClientTool } from '@langchain/core/tools';
import {
  Annotation,
  Command,
  END,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  Send,
  START,
  StateGraph,
} from '@langchain/langgraph';
import { ToolNode } from '@langchain/langgraph/prebuilt';
import { ConfigurationError } from '@outlive/core';
import { type GateRequest, lookAt, passGate } from './gate.ts';
import { lastCallsOf } from './last-calls.ts';
import { bindingOf, depthOf, threadOf } from './tool-runtime.ts';

/** What a gate of a graph works with. */
export interface CredentialGateOptions {
  /** The tools of the graph, or the node that runs them: refused calls run again in the gate. */
  readonly tools: readonly ClientTool[] | ToolNode;
}

/** The state of a graph, as far as the gate looks at it. */
export interface GateState {
  readonly messages: BaseMessage[];
}

/** A node that stands before the one that calls the model. */
export type CredentialGate = (
  state: GateState,
  config: LangGraphRunnableConfig,
) => Promise<{ messages?: BaseMessage[] }>;

const InnerState = Annotation.Root({
  ...MessagesAnnotation.spec,
  /** The rest of the graph's state, for tools that read it. */
  outer: Annotation<Readonly<Record<string, unknown>>>,
});

interface Rerun {
  readonly lg_tool_call: unknown;
  readonly answerId: string | undefined;
}

/**
 * The gate of a hand-written `StateGraph`, as the node before the model, and of `createReactAgent`, as its
 * `preModelHook`: pauses the graph when a credentialed call is refused, before the model has seen it, and runs exactly
 * the refused calls again when people have decided.
 *
 * Every way to the model leads through it: the one from the start too, where a paused conversation comes back.
 *
 * @example
 * graph.addNode('gate', credentialGate({ tools })).addEdge(START, 'gate').addEdge('tools', 'gate').addEdge('gate', 'model');
 */
export function credentialGate({ tools }: CredentialGateOptions): CredentialGate {
  const toolNode = tools instanceof ToolNode ? tools : new ToolNode([...tools]);
  // A graph of its own: a call that runs again may ask people itself, and their answers must not be mixed up.
  const inner = new StateGraph(InnerState)
    .addNode('gate', passInner, { ends: ['tools', END] })
    .addNode('tools', async (rerun, config) => runAgain(toolNode, rerun, config))
    .addEdge(START, 'gate')
    .addEdge('tools', 'gate')
    .compile();

  return async ({ messages, ...outer }, config) => {
    if ((await lookAt(requestOf(messages, config))) === undefined) return {};
    const passed = await inner.invoke({ messages, outer }, config);
    const ids = new Set(lastCallsOf(messages).map(({ toolCallId }) => toolCallId));
    return {
      messages: passed.messages.filter(
        (message) => ToolMessage.isInstance(message) && ids.has(message.tool_call_id),
      ),
    };
  };
}

async function passInner(
  { messages, outer }: typeof InnerState.State,
  config: LangGraphRunnableConfig,
): Promise<Command> {
  const { rerun, answers } = await passGate(requestOf(messages, config, 2));
  return new Command({
    update: { messages: answers },
    goto:
      rerun.length === 0
        ? END
        : rerun.map(
            ({ toolCallId, toolName, args, answer }) =>
              new Send('tools', {
                ...outer,
                messages,
                lg_tool_call: { id: toolCallId, name: toolName, args, type: 'tool_call' },
                answerId: answer?.id,
              }),
          ),
  });
}

/** The new answer takes the place of the refusal: providers want answers where they belong. */
async function runAgain(
  toolNode: ToolNode,
  rerun: unknown,
  config: LangGraphRunnableConfig,
): Promise<object> {
  const { answerId, ...input } = rerun as Rerun;
  const output = await toolNode.invoke(input, config);
  if (answerId !== undefined)
    for (const message of messagesOf(output)) {
      message.id = answerId;
      // A checkpoint keeps what a message was made with: without this, an answer that waits would come back as another.
      message.lc_kwargs['id'] = answerId;
    }
  return output;
}

function messagesOf(output: unknown): readonly BaseMessage[] {
  return typeof output === 'object' && output !== null && 'messages' in output
    ? (output.messages as readonly BaseMessage[])
    : [];
}

function requestOf(
  messages: readonly BaseMessage[],
  config: LangGraphRunnableConfig,
  depth = 1,
): GateRequest {
  const binding = bindingOf(config.context);
  if (binding === undefined)
    throw new ConfigurationError(
      'credentialGate: context.task: expected the task that the graph acts for, as in ' +
        'graph.invoke(input, { context: { task } }); got none',
      ['context.task'],
    );
  const { configurable } = config;
  return {
    binding,
    thread: threadOf(configurable),
    messages,
    isNested: depthOf(configurable) > depth,
  };
}

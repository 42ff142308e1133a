import type { BaseMessage } from '@langchain/core/messages';
import type { Runnable } from '@langchain/core/runnables';
import {
  type BaseCheckpointSaver,
  END,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  START,
  StateGraph,
} from '@langchain/langgraph';
import { ToolNode, toolsCondition } from '@langchain/langgraph/prebuilt';
import { credentialGate } from '@outlive/langchain';
import { tools } from './tools.ts';

/** A hand-written agent. Every way to the model leads through the gate, the one from the start too. */
export function createPayer(
  model: Runnable<BaseMessage[], BaseMessage>,
  checkpointer: BaseCheckpointSaver,
) {
  const callModel = async (
    { messages }: typeof MessagesAnnotation.State,
    config: LangGraphRunnableConfig,
  ) => ({ messages: [await model.invoke(messages, config)] });

  return new StateGraph(MessagesAnnotation)
    .addNode('gate', credentialGate({ tools }))
    .addNode('model', callModel)
    .addNode('tools', new ToolNode(tools))
    .addEdge(START, 'gate')
    .addEdge('gate', 'model')
    .addConditionalEdges('model', toolsCondition, ['tools', END])
    .addEdge('tools', 'gate')
    .compile({ checkpointer });
}

import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import {
  AIMessage,
  type AIMessageChunk,
  type BaseMessage,
  HumanMessage,
  ToolMessage,
} from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import type { PromptMessage, TestLanguageModel } from '@outlive/testing';

/** A model of `@outlive/testing` as a chat model of LangChain. */
export class TestChatModel extends BaseChatModel {
  readonly #model: TestLanguageModel;

  constructor(model: TestLanguageModel) {
    super({});
    this.#model = model;
  }

  override _llmType(): string {
    return 'outlive-testing';
  }

  override bindTools(): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this as Runnable<BaseLanguageModelInput, AIMessageChunk>;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const { content } = await this.#model.doGenerate({ prompt: messages.map(promptMessage) });
    const text = content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
    const message = new AIMessage({
      content: text,
      tool_calls: content.flatMap((part) =>
        part.type === 'tool-call'
          ? [{ id: part.toolCallId, name: part.toolName, args: JSON.parse(part.input) }]
          : [],
      ),
    });
    return { generations: [{ text, message }] };
  }
}

function promptMessage(message: BaseMessage): PromptMessage {
  const text = String(message.text);
  if (HumanMessage.isInstance(message)) return { role: 'user', content: text };
  if (ToolMessage.isInstance(message)) {
    const { tool_call_id: toolCallId, name = '', status } = message;
    const output = { type: status === 'error' ? 'error-text' : 'text', value: text };
    return {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId, toolName: name, output }],
    };
  }
  if (!AIMessage.isInstance(message)) return { role: 'system', content: text };
  const calls = (message.tool_calls ?? []).map(({ id = '', name, args }) => ({
    type: 'tool-call',
    toolCallId: id,
    toolName: name,
    input: args,
  }));
  return { role: 'assistant', content: [{ type: 'text', text }, ...calls] };
}

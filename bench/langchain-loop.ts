import type { BaseLanguageModelInput } from '@langchain/core/language_models/base';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, type AIMessageChunk, type BaseMessage } from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';
import type { Runnable } from '@langchain/core/runnables';
import { tool } from '@langchain/core/tools';
import { credentialMiddleware, withCredential, withTask } from '@outlive/langchain';
import { createAgent } from 'langchain';
import { z } from 'zod';
import type { AgentLoop } from './agent-loop.ts';

const steps = 20;
const callsPerStep = 10;
const fields = {
  name: 'listInvoices',
  description: 'A page of invoices',
  schema: z.object({ page: z.number() }),
};
const question = { messages: [{ role: 'user', content: 'Go through all pages.' }] };
/** LangGraph counts nodes, of which each turn takes up to three. */
const config = { recursionLimit: 4 * steps };

/** A whole run of an agent of `createAgent`. */
export const langchainLoop: AgentLoop = {
  name: 'createAgent',
  steps,
  callsPerStep,
  bare(readPage) {
    const agent = createAgent({ model: new PagingModel({}), tools: [tool(readPage, fields)] });
    return async () => turnsOf((await agent.invoke(question, config)).messages);
  },
  guarded(task, requirement, readPage) {
    const tools = [
      withCredential(
        requirement,
        async (_input, { principal }) => readPage(principal.fetch),
        fields,
      ),
    ];
    const middleware = [credentialMiddleware()];
    const agent = createAgent({ model: new PagingModel({}), tools, middleware });
    return async () => {
      const outcome = await withTask(task, agent).invoke(question, config);
      if (outcome.status !== 'completed') throw new Error(`the run is ${outcome.status}`);
      return turnsOf(outcome.result.messages);
    };
  },
};

function turnsOf(messages: readonly BaseMessage[]): number {
  return messages.filter((message) => AIMessage.isInstance(message)).length;
}

/** A model that asks for page after page, and at once. */
class PagingModel extends BaseChatModel {
  override _llmType(): string {
    return 'paging';
  }

  override bindTools(): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this as Runnable<BaseLanguageModelInput, AIMessageChunk>;
  }

  override async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const step = turnsOf(messages);
    const message =
      step === steps
        ? new AIMessage('All pages are read.')
        : new AIMessage({
            content: '',
            tool_calls: Array.from({ length: callsPerStep }, (_, index) => ({
              id: `${step} ${index}`,
              name: fields.name,
              args: { page: step * callsPerStep + index },
            })),
          });
    return { generations: [{ text: message.text, message }] };
  }
}

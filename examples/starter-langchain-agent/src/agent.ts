import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { BaseCheckpointSaver } from '@langchain/langgraph';
import { credentialMiddleware } from '@outlive/langchain';
import { createAgent } from 'langchain';
import { tools } from './tools.ts';

const systemPrompt =
  'You keep the books. When you are asked to remind customers, list the invoices first, ' +
  'and then send a reminder for each invoice that is overdue, all of them at once.';

/**
 * The agent. The middleware has the tools: what a turn of the model needs is asked for before any call of it runs,
 * and a call that is refused authority stops the agent before the model hears of it.
 */
export function createBookkeeper(model: BaseChatModel, checkpointer: BaseCheckpointSaver) {
  return createAgent({
    model,
    systemPrompt,
    middleware: [credentialMiddleware({ tools })],
    checkpointer,
  });
}

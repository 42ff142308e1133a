import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, type BaseMessage, ToolMessage } from '@langchain/core/messages';
import { fakeModel } from 'langchain';
import { z } from 'zod';

const invoicesSchema = z.array(z.object({ id: z.string(), overdue: z.boolean() }));

/** More turns than the story needs. */
const mostTurns = 10;

/** A model that plays a script, offline. Like many a model it reports success in the end, whatever its tools said. */
export function scriptedModel(): BaseChatModel {
  const model = fakeModel();
  for (let turn = 0; turn < mostTurns; turn += 1) model.respond(nextTurn);
  return model;
}

function nextTurn(messages: readonly BaseMessage[]): AIMessage {
  const answers = messages.filter((message) => ToolMessage.isInstance(message));
  const reminders = answers.filter(({ name }) => name === 'sendReminder').length;
  if (reminders > 0) return new AIMessage(`Done: ${reminders} customers have been reminded.`);
  const listed = answers.find(({ name }) => name === 'listInvoices');
  if (listed === undefined) return callTools([{ name: 'listInvoices', args: {} }]);
  const overdue = invoicesSchema.parse(JSON.parse(listed.text)).filter((one) => one.overdue);
  return callTools(overdue.map(({ id }) => ({ name: 'sendReminder', args: { invoice: id } })));
}

function callTools(calls: readonly { readonly name: string; readonly args: object }[]): AIMessage {
  return new AIMessage({
    content: '',
    tool_calls: calls.map(({ name, args }) => ({
      name,
      args: { ...args },
      id: crypto.randomUUID(),
      type: 'tool_call',
    })),
  });
}

import { AIMessage, type BaseMessage, ToolMessage } from '@langchain/core/messages';
import { type FakeBuiltModel, fakeModel } from '@langchain/core/testing';

/** More turns than the story needs. */
const mostTurns = 10;

/**
 * A model that plays a script: it reads, marks and pays an invoice in one turn, and reports success in the next,
 * whatever its tools said. What it says depends on nothing but the conversation, so any process may go on with it.
 */
export function scriptedModel(): FakeBuiltModel {
  const model = fakeModel();
  for (let turn = 0; turn < mostTurns; turn += 1) model.respond(nextTurn);
  return model;
}

function nextTurn(messages: readonly BaseMessage[]): AIMessage {
  if (messages.some((message) => ToolMessage.isInstance(message)))
    return new AIMessage('The invoice is paid.');
  return new AIMessage({
    content: '',
    tool_calls: ['readInvoice', 'markInvoice', 'payInvoice'].map((name) => ({
      id: `call-${name}`,
      name,
      args: { invoice: 'I-7' },
      type: 'tool_call',
    })),
  });
}

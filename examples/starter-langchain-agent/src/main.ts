// Goes through the whole story. Exit status 1 when anything is not as the README promises.
import assert from 'node:assert/strict';
import { MemorySaver } from '@langchain/langgraph';
import { AuthError, toolRequirements } from '@outlive/core';
import { resumeTask, withTask } from '@outlive/langchain';
import { createBookkeeper } from './agent.ts';
import { chatModel } from './model.ts';
import { connectionScopes, openRuntime } from './runtime.ts';
import { tools } from './tools.ts';
import { startWorld } from './world.ts';

/** The person who is signed in at your app. */
const person = { subject: 'ana' };
const session = 'the id of her browser session';

await using world = await startWorld();
await using runtime = openRuntime(world.settings);
const { outlive } = runtime;
/** What the model has read, a text for each of its turns. */
const turns: string[] = [];
const checkpointer = new MemorySaver();
const agent = createBookkeeper(chatModel(), checkpointer);
const config = {
  configurable: { thread_id: 'reminders' },
  callbacks: [
    {
      handleChatModelStart(_model: unknown, messages: unknown): void {
        turns.push(JSON.stringify(messages));
      },
    },
  ],
};
const task = {
  principal: person,
  agent: 'bookkeeper',
  requirements: toolRequirements(tools),
  expectedDurationMs: 10 * 60_000,
};

const [refused] = await Promise.allSettled([outlive.startTask(task)]);
assert.equal(
  refused.status === 'rejected' && AuthError.find(refused.reason)?.code,
  'reauthorization_required',
);
say('Without an account there is no task, and the model is not asked.');

assert.equal((await connect()).status, 'connected');
const started = await outlive.startTask(task);
world.endAccessAtThirdReminder();
const question = 'Remind every customer whose invoice is overdue.';
const outcome = await withTask(started, agent).invoke(
  { messages: [{ role: 'user', content: question }] },
  config,
);
if (outcome.status === 'failed') throw outcome.error;
assert.ok(outcome.status === 'paused', `expected a paused run, got ${outcome.status}`);
assert.equal(outcome.pause.reason.code, 'reauthorization_required');
assert.equal(outcome.state.pending.length, 1);
assert.equal(new Set(world.reminders).size, 2);
say('Her access was ended in the middle of a turn: two reminders are sent, the third waits.');

const turnsUntilPause = turns.length;
const requestsUntilPause = world.requests;
const early = await resumeTask(outlive, outcome.state, agent).invoke(config);
assert.equal(early.status, 'paused');
assert.equal(world.requests, requestsUntilPause);
say('Resumed too early: it still waits, and nothing has run.');

assert.equal((await connect(outcome.pause.id)).status, 'connected');
assert.equal(turns.length, turnsUntilPause);
const resumed = await resumeTask(outlive, outcome.state, agent).invoke(config);
if (resumed.status === 'failed') throw resumed.error;
assert.ok(resumed.status === 'completed', `expected a completed run, got ${resumed.status}`);
await started.complete();
assert.equal(world.requests, requestsUntilPause + 1);
assert.deepEqual(world.reminders.toSorted(), ['I-201', 'I-203', 'I-204']);
say('Connected again: exactly the call that waited has run. Every reminder was sent once.');
say(`The agent: ${resumed.result.messages.at(-1)?.text}`);

assert.ok(turns.every((text) => !text.includes('[auth:')));
say(`None of the model's ${turns.length} turns has seen an authorization error.`);

const kept = [...checkpoints()].join('\n');
assert.ok(kept.includes(question));
const traces = JSON.stringify([turns, resumed.result, outcome.state, kept]);
const leaked = world.issuer.issuedTokens().filter(({ value }) => traces.includes(value));
assert.deepEqual(leaked, []);
say(`None of ${world.issuer.issuedTokens().length} tokens is in a prompt or a checkpoint.`);

/** Walks through sign-in and consent, as the person does in her browser. */
async function connect(pauseId?: string) {
  const { url } = await outlive.connect.start({
    provider: 'books',
    principal: person,
    scopes: connectionScopes,
    session,
    ...(pauseId === undefined ? {} : { pauseId }),
  });
  const callback = await world.issuer.authorize(new URL(url), person);
  return outlive.connect.callback({ url: callback, session, principal: person });
}

/** Whatever LangGraph has kept, as text. */
function* checkpoints(): Generator<string> {
  const decoder = new TextDecoder();
  const kept: unknown[] = [checkpointer.storage, checkpointer.writes];
  for (let value = kept.pop(); value !== undefined; value = kept.pop()) {
    if (value instanceof Uint8Array) yield decoder.decode(value);
    else if (typeof value === 'object' && value !== null) kept.push(...Object.values(value));
  }
}

function say(text: string): void {
  console.log(text);
}

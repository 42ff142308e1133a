// Compiled by `tsc`, never run: what the compiler infers, and the mistakes it finds.
import {
  type DynamicStructuredTool,
  DynamicTool,
  StructuredTool,
  tool,
} from '@langchain/core/tools';
import { Command, type MessagesAnnotation, type StateGraph } from '@langchain/langgraph';
import { createReactAgent } from '@langchain/langgraph/prebuilt';
import { defineResource, type Outlive, type Pause, type Task } from '@outlive/core';
import { createAgent } from 'langchain';
import { z } from 'zod';
import {
  credentialGate,
  credentialMiddleware,
  type PausedRun,
  resumeTask,
  serverUser,
  withCredential,
  withTask,
} from '../src/index.ts';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function expectTrue<T extends true>(): T;
declare const task: Task;
declare const outlive: Outlive;
declare const pausedRun: PausedRun;

const billing = defineResource({ name: 'billing', scopes: ['invoices:read', 'invoices:write'] });
const read = { resource: billing, scopes: ['invoices:read'], effect: 'read' } as const;

// --- definitions

export const createInvoice = withCredential(
  { resource: billing, scopes: ['invoices:write'], effect: 'irreversible' },
  async ({ cents }, { principal, toolCallId, signal }) => {
    expectTrue<Equal<typeof cents, number>>();
    void signal;
    await principal.fetch('invoices', { method: 'POST', body: JSON.stringify({ cents }) });
    return { id: toolCallId, total: cents };
  },
  {
    name: 'createInvoice',
    description: 'Create an invoice',
    schema: z.object({ cents: z.number() }),
  },
);
type OutputOf<T> =
  T extends DynamicStructuredTool<infer _S, infer _O, infer _I, infer Output, infer _E, infer _N>
    ? Output
    : never;
expectTrue<Equal<OutputOf<typeof createInvoice>, { id: string; total: number }>>();
expectTrue<Equal<typeof createInvoice.name, 'createInvoice'>>();

// --- existing tools

const search = tool(async ({ q }) => q.length, {
  name: 'search',
  schema: z.object({ q: z.string() }),
});
const gated = withCredential(read, search);
expectTrue<Equal<typeof gated, typeof search>>();
const inline = withCredential(
  read,
  tool(async ({ q }) => q.length, { name: 'search', schema: z.object({ q: z.string() }) }),
);
expectTrue<Equal<typeof inline.name, 'search'>>();
const text = new DynamicTool({ name: 'x', description: 'x', func: async (input) => input });
const gatedText = withCredential(read, text);
expectTrue<Equal<typeof gatedText, typeof text>>();
class Weather extends StructuredTool {
  override name = 'weather';
  override description = 'w';
  override schema = z.object({ city: z.string() });
  protected override async _call(): Promise<string> {
    return 'sun';
  }
}
const weather = withCredential(read, new Weather());
expectTrue<Equal<typeof weather, Weather>>();

// --- agents and graphs

const tools = [createInvoice, gated, inline, gatedText, weather];
export const agent = createAgent({ model: 'x', tools, middleware: [credentialMiddleware()] });
void agent.invoke({ messages: [] }, { context: { task } });
export const server = createAgent({
  model: 'x',
  middleware: [
    credentialMiddleware({
      tools: [createInvoice],
      startTask: { outlive, resolvePrincipal: serverUser, agent: 'a', expectedDurationMs: 1000 },
    }),
  ],
});
declare const llm: Parameters<typeof createReactAgent>[0]['llm'];
export const react = createReactAgent({ llm, tools, preModelHook: credentialGate({ tools }) });
declare const graph: StateGraph<typeof MessagesAnnotation>;
graph.addNode('gate', credentialGate({ tools }));

// --- outcomes

const outcome = await withTask(task, agent).invoke({ messages: [] }, { recursionLimit: 5 });
if (outcome.status === 'completed') {
  expectTrue<Equal<typeof outcome.result, Awaited<ReturnType<typeof agent.invoke>>>>();
}
if (outcome.status === 'paused') {
  expectTrue<Equal<typeof outcome.pause, Pause>>();
  expectTrue<Equal<typeof outcome.state, PausedRun>>();
}
// @ts-expect-error only a completed run has a result
void outcome.result;
void withTask(task, agent).invoke(new Command({ resume: true }));
const resumed = await resumeTask(outlive, pausedRun, agent).invoke({ recursionLimit: 5 });
if (resumed.status === 'completed') void resumed.result.messages;
const streaming = await withTask(task, react).stream({ messages: [] }, { streamMode: 'values' });
for await (const chunk of streaming.stream) void chunk;
expectTrue<
  Equal<
    typeof streaming.outcome extends Promise<{ status: infer S }> ? S : never,
    'completed' | 'paused' | 'cancelled' | 'expired' | 'failed' | 'interrupted'
  >
>();

// --- mistakes

// @ts-expect-error typo in a scope
withCredential({ resource: billing, scopes: ['invoices:wirte'], effect: 'read' }, search);
// @ts-expect-error no schema
withCredential(read, async () => 1, { name: 'x' });
// @ts-expect-error no fields
withCredential(read, async () => 1);
// @ts-expect-error wrong property of the runtime
withCredential(read, async (_, { principle }) => principle, { name: 'x', schema: z.object({}) });
// @ts-expect-error not an agent
withTask(task, createInvoice.name);
// @ts-expect-error a server's tasks are for somebody
credentialMiddleware({ startTask: { outlive, agent: 'a', expectedDurationMs: 1000 } });

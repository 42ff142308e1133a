// Compiled by `tsc`, never run: what the compiler infers, and the mistakes it finds.
import { defineResource, type Outlive, type PrincipalHandle, type Task } from '@outlive/core';
import {
  dynamicTool,
  generateText,
  type InferAgentUIMessage,
  type InferToolInput,
  type InferToolOutput,
  type LanguageModel,
  type ModelMessage,
  Output,
  stepCountIs,
  streamText,
  ToolLoopAgent,
  type ToolSet,
  tool,
} from 'ai';
import { z } from 'zod';
import {
  agentTool,
  type PausedRun,
  resumeTask,
  runTask,
  withCredential,
  withCredentials,
  withTask,
} from '../src/index.ts';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function expectTrue<T extends true>(): T;
declare const model: LanguageModel;
declare const task: Task;
declare const outlive: Outlive;
declare const pausedRun: PausedRun;
declare const messages: ModelMessage[];
declare const principal: PrincipalHandle;
declare const sdkOptions: Parameters<NonNullable<ToolSet[string]['execute']>>[1];

const billing = defineResource({ name: 'billing', scopes: ['invoices:read', 'invoices:write'] });
const read = { resource: billing, scopes: ['invoices:read'], effect: 'read' } as const;

// --- definitions

const createInvoice = withCredential(
  { resource: billing, scopes: ['invoices:write'], effect: 'irreversible' },
  {
    description: 'Create an invoice',
    inputSchema: z.object({ customer: z.string(), cents: z.number() }),
    execute: async (input, { principal, toolCallId, messages, abortSignal }) => {
      expectTrue<Equal<typeof input, { customer: string; cents: number }>>();
      const id: string = toolCallId + messages.length + principal.subject;
      const response = await principal.fetch('/invoices', {
        method: 'POST',
        body: JSON.stringify({ ...input, id }),
        ...(abortSignal ? { signal: abortSignal } : {}),
      });
      return { invoiceId: response.statusText, total: input.cents };
    },
  },
);
expectTrue<Equal<InferToolInput<typeof createInvoice>, { customer: string; cents: number }>>();
expectTrue<Equal<InferToolOutput<typeof createInvoice>, { invoiceId: string; total: number }>>();

const progress = withCredential(read, {
  inputSchema: z.object({ q: z.string() }),
  async *execute({ q }, { principal }) {
    yield { state: 'loading' as const, q };
    await principal.fetch('/x');
    yield { state: 'ready' as const, q };
  },
});
expectTrue<
  Equal<
    InferToolOutput<typeof progress>,
    { state: 'loading'; q: string } | { state: 'ready'; q: string }
  >
>();

const withOutput = withCredential(read, {
  inputSchema: z.object({ q: z.string() }),
  outputSchema: z.object({ n: z.number() }),
  strict: true,
  execute: ({ q }) => ({ n: q.length }),
  toModelOutput: ({ output }) => ({ type: 'text', value: String(output.n) }),
});
expectTrue<Equal<InferToolOutput<typeof withOutput>, { n: number }>>();

// What the model reads is made of what the tool answers, also where no schema says what that is.
withCredential(read, {
  inputSchema: z.object({ q: z.string() }),
  execute: async ({ q }) => ({ n: q.length }),
  toModelOutput({ input, output }) {
    expectTrue<Equal<typeof input, { q: string }>>();
    expectTrue<Equal<typeof output, { n: number }>>();
    return { type: 'text', value: String(output.n) };
  },
});

export const testedAlone = createInvoice.execute(
  { customer: 'c', cents: 1 },
  { ...sdkOptions, principal },
);

// --- existing tools keep their exact type

const plain = tool({
  description: 'x',
  inputSchema: z.object({ a: z.string() }),
  execute: async ({ a }) => ({ b: a.length }),
});
const gated = withCredential(read, plain);
expectTrue<Equal<typeof gated, typeof plain>>();

const dynamic = dynamicTool({
  description: 'd',
  inputSchema: z.object({}),
  execute: async () => 1,
});
const gatedDynamic = withCredential(read, dynamic);
expectTrue<Equal<typeof gatedDynamic, typeof dynamic>>();

const client = tool({ inputSchema: z.object({ a: z.string() }), outputSchema: z.string() });
// Refused at run time only: the compiler does not know which of a set's tools run elsewhere.
export const gatedClient = (): typeof client => withCredential(read, client);

const inlineTool = withCredential(
  read,
  tool({ inputSchema: z.object({ a: z.string() }), execute: async ({ a }) => a.length }),
);
expectTrue<Equal<InferToolOutput<typeof inlineTool>, number>>();

export function guardMcpTools(tools: ToolSet): ToolSet {
  return Object.fromEntries(
    Object.entries(tools).map(([name, mcpTool]) => [name, withCredential(read, mcpTool)]),
  );
}

// --- a set of tools

const mailbox = defineResource({ name: 'mail', scopes: ['read'] });
const plainTools = { plain, dynamic, client };
const gatedTools = withCredentials(plainTools, {
  plain: { resource: billing, scopes: ['invoices:read'], effect: 'read' },
  dynamic: { resource: mailbox, scopes: ['read'], effect: 'irreversible' },
});
expectTrue<Equal<typeof gatedTools, typeof plainTools>>();
withCredentials(plainTools, {
  // @ts-expect-error a scope that the resource does not have
  plain: { resource: billing, scopes: ['invoices:delete'], effect: 'read' },
});
withCredentials(plainTools, {
  // @ts-expect-error a scope of another resource
  dynamic: { resource: mailbox, scopes: ['invoices:read'], effect: 'read' },
});
withCredentials(plainTools, {
  // @ts-expect-error no such tool
  plian: { resource: billing, scopes: ['invoices:read'], effect: 'read' },
});
withCredentials(plainTools, {
  // @ts-expect-error an effect that does not exist
  plain: { resource: billing, scopes: ['invoices:read'], effect: 'write' },
});
export const guardMcpTool = (set: ToolSet): ToolSet => withCredentials(set, { search: read });

const tools = {
  createInvoice,
  progress,
  gated,
  gatedDynamic,
  withOutput,
  clock: tool({
    inputSchema: z.object({ zone: z.string() }),
    execute: async ({ zone }) => zone.length,
  }),
} satisfies ToolSet;
const output = Output.object({ schema: z.object({ ok: z.boolean() }) });

// --- withTask(task, generateText)

export async function generate() {
  const direct = await generateText({ model, tools, prompt: 'x', output });
  const outcome = await withTask(
    task,
    generateText,
  )({
    model,
    tools,
    messages: [{ role: 'user', content: 'hi' }],
    output: Output.object({ schema: z.object({ ok: z.boolean() }) }),
    stopWhen: [stepCountIs(5), ({ steps }) => (steps.at(-1)?.toolCalls.length ?? 0) > 3],
    prepareStep: ({ stepNumber }) => (stepNumber > 2 ? { activeTools: ['clock'] } : undefined),
    onStepFinish: ({ toolCalls }) => {
      for (const call of toolCalls) call.toolName;
    },
    toolChoice: { type: 'tool', toolName: 'clock' },
  });
  // @ts-expect-error there is no result before the status is known
  outcome.result;
  switch (outcome.status) {
    case 'completed': {
      expectTrue<Equal<typeof outcome.result.output, typeof direct.output>>();
      expectTrue<Equal<typeof outcome.result.output, { ok: boolean }>>();
      for (const result of outcome.result.toolResults)
        if (!result.dynamic && result.toolName === 'createInvoice')
          expectTrue<Equal<typeof result.output, { invoiceId: string; total: number }>>();
      return outcome.result.output.ok;
    }
    case 'paused':
      expectTrue<Equal<typeof outcome.state, PausedRun>>();
      outcome.partialResult?.steps satisfies (typeof direct)['steps'] | undefined;
      // @ts-expect-error a paused run has no output that could be read
      outcome.partialResult?.output;
      return outcome.pause.id;
    case 'failed':
      return outcome.error;
    default:
      return outcome.status;
  }
}

// --- withTask(task, streamText)

export function stream() {
  const direct = streamText({ model, tools, messages, stopWhen: stepCountIs(5) });
  const run = withTask(
    task,
    streamText,
  )({
    model,
    tools,
    messages,
    stopWhen: stepCountIs(5),
    onFinish: ({ text }) => {
      text.length;
    },
  });
  expectTrue<Equal<typeof run.stream, typeof direct>>();
  void run.outcome.then((ended) => ended.status);
  return run.stream.toUIMessageStreamResponse();
}

// --- withTask(task, agent)

const agent = new ToolLoopAgent({ model, tools, instructions: 'x', output });
export type AgentMessage = InferAgentUIMessage<typeof agent>;

export async function useAgent() {
  const direct = await agent.generate({ prompt: 'x' });
  const outcome = await withTask(task, agent).generate({ prompt: 'x' });
  if (outcome.status === 'completed') expectTrue<Equal<typeof outcome.result, typeof direct>>();
  const directStream = await agent.stream({ prompt: 'x' });
  const run = await withTask(task, agent).stream({ prompt: 'x' });
  expectTrue<Equal<typeof run.stream, typeof directStream>>();
}

// --- runTask: several calls, as they are without it

export async function severalCalls() {
  const outcome = await runTask(task, async (guard) => {
    const plan = await guard(generateText)({ model, prompt: 'plan', output });
    expectTrue<Equal<typeof plan.output, { ok: boolean }>>();
    const text: string = await guard(streamText)({ model, tools, prompt: 'x' }).text;
    const done = await guard(agent).generate({ prompt: text });
    const other = await new (guard(ToolLoopAgent))({ model, tools, output }).generate({
      prompt: plan.text,
    });
    return { plan: plan.output.ok, done: done.output.ok, other: other.output.ok };
  });
  if (outcome.status === 'completed')
    expectTrue<Equal<typeof outcome.result, { plan: boolean; done: boolean; other: boolean }>>();
  // @ts-expect-error only a completed run has a result
  return outcome.result;
}

// --- agentTool: an agent as a tool of another one

const ask = agentTool(agent, {
  description: 'Ask the other agent',
  inputSchema: z.object({ question: z.string() }),
  prompt: ({ question }) => question,
  answer: (result) => ({ fine: result.output.ok }),
});
expectTrue<Equal<InferToolInput<typeof ask>, { question: string }>>();
expectTrue<Equal<InferToolOutput<typeof ask>, { fine: boolean }>>();
const watch = agentTool(agent, {
  inputSchema: z.object({ question: z.string() }),
  prompt: ({ question }) => question,
  async *stream(result) {
    for await (const part of result.fullStream)
      if (part.type === 'text-delta') yield { text: part.text };
  },
  toModelOutput: ({ output }) => ({ type: 'text', value: output.text }),
});
expectTrue<Equal<InferToolOutput<typeof watch>, { text: string }>>();
export const asking = new ToolLoopAgent({ model, tools: { ask, watch, plain } });

// --- resumeTask: the settings without the conversation, with the same inference

export async function resume() {
  const direct = await generateText({ model, tools, prompt: 'x', output });
  const outcome = await resumeTask(
    outlive,
    pausedRun,
    generateText,
  )({
    model,
    tools,
    output: Output.object({ schema: z.object({ ok: z.boolean() }) }),
    stopWhen: [stepCountIs(5), ({ steps }) => (steps.at(-1)?.toolCalls.length ?? 0) > 3],
    prepareStep: ({ stepNumber }) => (stepNumber > 2 ? { activeTools: ['clock'] } : undefined),
  });
  if (outcome.status === 'completed') {
    expectTrue<Equal<typeof outcome.result.output, typeof direct.output>>();
    for (const result of outcome.result.toolResults)
      if (!result.dynamic && result.toolName === 'createInvoice')
        expectTrue<Equal<typeof result.output, { invoiceId: string; total: number }>>();
  }

  const run = await resumeTask(outlive, pausedRun, streamText)({ model, tools });
  if (run.stream) return run.stream.toUIMessageStreamResponse();
  // A run that was not started has a status at once.
  run.status satisfies 'paused' | 'cancelled' | 'expired' | 'failed';

  const ofAgent = await resumeTask(outlive, pausedRun, agent).generate();
  if (ofAgent.status === 'completed') ofAgent.result.output.ok satisfies boolean;
  return ofAgent.status;
}

// --- mistakes that the compiler finds

export function mistakes() {
  // @ts-expect-error a scope that the resource does not have
  withCredential({ resource: billing, scopes: ['invoices:delete'], effect: 'read' }, plain);
  // @ts-expect-error an effect that does not exist
  withCredential({ resource: billing, scopes: ['invoices:read'], effect: 'write' }, plain);
  withCredential(read, {
    inputSchema: z.object({ q: z.string() }),
    // @ts-expect-error the input has no such field
    execute: async (input) => input.query,
  });
  withCredential(read, {
    inputSchema: z.object({ q: z.string() }),
    // @ts-expect-error there is no token to be had
    execute: async (_input, { principal }) => principal.token,
  });
  // @ts-expect-error typo in a setting
  void withTask(task, generateText)({ model, tools, prompt: 'x', stopwhen: stepCountIs(3) });
  void withTask(
    task,
    generateText,
    // @ts-expect-error unknown tool
  )({ model, tools, prompt: 'x', toolChoice: { type: 'tool', toolName: 'nope' } });
  // @ts-expect-error settings belong in the second call
  void withTask(task, generateText({ model, tools, prompt: 'x' }));
  // @ts-expect-error a stream has no text before it ended: it is under `stream`
  void withTask(task, streamText)({ model, tools, prompt: 'x' }).text;
  // @ts-expect-error an outcome is not the result
  void withTask(task, generateText)({ model, tools, prompt: 'x' }).then((result) => result.text);
  // @ts-expect-error a text is nothing to guard
  void runTask(task, async (guard) => guard('text'));
  const asked = { inputSchema: z.object({}), prompt: () => '' };
  // @ts-expect-error a person cannot be asked behind a tool
  agentTool(agent, { ...asked, answer: () => 1, needsApproval: true });
  // @ts-expect-error an agent either answers or is watched
  agentTool(agent, { ...asked, answer: () => 1, stream: async function* () {} });
  // @ts-expect-error a resumed run goes on with its own conversation
  void resumeTask(outlive, pausedRun, generateText)({ model, tools, prompt: 'x' });
  // @ts-expect-error a resumed run goes on with its own conversation
  void resumeTask(outlive, pausedRun, streamText)({ model, tools, messages });
  // @ts-expect-error a resumed run goes on with its own conversation
  void resumeTask(outlive, pausedRun, agent).generate({ prompt: 'x' });
}

import { type BaseMessage, RemoveMessage } from '@langchain/core/messages';
import type { ClientTool } from '@langchain/core/tools';
import { REMOVE_ALL_MESSAGES } from '@langchain/langgraph';
import { ConfigurationError, requirementOf, type Task } from '@outlive/core';
import { type AgentMiddleware, createMiddleware } from 'langchain';
import * as z from 'zod';
import { StatelessInterrupt } from './auth-interrupt.ts';
import { checkCalls, type GateRequest, type Passage, passGate } from './gate.ts';
import { inOrder, lastCallsOf } from './last-calls.ts';
import { declinedMessage } from './refused-call.ts';
import type { TaskBinding } from './task-binding.ts';
import { bindingOf, depthOf, threadOf } from './tool-runtime.ts';

/** How the credential middleware works. */
export interface CredentialMiddlewareOptions {
  /**
   * The credentialed tools, given here instead of to `createAgent`: the middleware brings them into the agent, and
   * knows before any call of a turn runs which of them need what.
   */
  readonly tools?: readonly ClientTool[];
  /**
   * Asks for the authority of every call of a turn before any of them runs, so that nothing is done half. For the
   * `tools` of the middleware. Default `true`.
   */
  readonly preflight?: boolean;
  /**
   * What a paused agent does where LangGraph keeps no state. `interrupt` (default): it returns with an interrupt, as it
   * does elsewhere. `end`: it returns as if it had come to its end.
   */
  readonly withoutCheckpointer?: 'interrupt' | 'end';
}

const contextSchema = z.object({ task: z.custom<Task>().optional() });
const stateSchema = z.object({ _outlive: z.object({ taskId: z.string() }).optional() });

/** What LangChain passes to the hooks of a middleware, as far as they look at it. */
interface HookRuntime {
  readonly context: unknown;
  readonly configurable?: Readonly<Record<string, unknown>> | undefined;
}

interface HookState {
  readonly messages: BaseMessage[];
}

/**
 * The gate of `createAgent`: pauses the agent when a credentialed call is refused, before the model has seen it, and
 * runs exactly the refused calls again when people have decided.
 *
 * The agent acts for the task in its context: `agent.invoke(input, { context: { task } })`. Calls that were refused are
 * known from the store, so it does not matter where in the list of middleware it stands.
 */
export function credentialMiddleware(
  options: CredentialMiddlewareOptions = {},
): AgentMiddleware<typeof stateSchema, typeof contextSchema> {
  const { tools = [], preflight = true, withoutCheckpointer = 'interrupt' } = options;
  const requirements = new Map(
    tools.flatMap((tool) => {
      const requirement = requirementOf(tool);
      return requirement === undefined ? [] : [[tool.name, requirement] as const];
    }),
  );

  return createMiddleware({
    name: 'CredentialMiddleware',
    contextSchema,
    stateSchema,
    tools: [...tools],
    beforeAgent: (_state, runtime) => ({ _outlive: { taskId: boundTask(runtime).task.id } }),
    beforeModel: {
      canJumpTo: ['tools', 'end'],
      async hook(state, runtime) {
        try {
          return update(state.messages, await passGate(requestOf(state, runtime)));
        } catch (error) {
          if (withoutCheckpointer === 'end' && error instanceof StatelessInterrupt)
            return { jumpTo: 'end' as const };
          throw error;
        }
      },
    },
    afterModel: {
      canJumpTo: ['model'],
      async hook(state, runtime) {
        if (!preflight || requirements.size === 0) return undefined;
        const declined = await checkCalls(requestOf(state, runtime), requirements);
        if (declined.length === 0) return undefined;
        const messages = declined.map((call) => declinedMessage(call));
        // Nothing is left to run: the model hears of it. LangChain would end the agent here.
        const isAnswered = declined.length === lastCallsOf(state.messages).length;
        return isAnswered ? { messages, jumpTo: 'model' as const } : { messages };
      },
    },
  });
}

/** What the gate's passage means for the conversation, and where the agent goes from there. */
function update(
  messages: readonly BaseMessage[],
  { rerun, declined }: Passage,
): { readonly messages: BaseMessage[]; readonly jumpTo?: 'tools' } | undefined {
  const changes: BaseMessage[] = [
    // Calls without an answer are what the tools node runs.
    ...rerun.flatMap(({ answer }) =>
      answer?.id === undefined ? [] : [new RemoveMessage({ id: answer.id })],
    ),
    ...declined.map((call) => declinedMessage(call, call.answer?.id)),
  ];
  if (rerun.length > 0) return { messages: changes, jumpTo: 'tools' };
  if (changes.length > 0) return { messages: changes };
  const ordered = inOrder(messages);
  return ordered === undefined
    ? undefined
    : { messages: [new RemoveMessage({ id: REMOVE_ALL_MESSAGES }), ...ordered] };
}

function requestOf(state: HookState, runtime: HookRuntime): GateRequest {
  return {
    binding: boundTask(runtime),
    thread: threadOf(runtime.configurable),
    messages: state.messages,
    isNested: depthOf(runtime.configurable) > 1,
  };
}

function boundTask({ context }: HookRuntime): TaskBinding {
  const binding = bindingOf(context);
  if (binding !== undefined) return binding;
  throw new ConfigurationError(
    'credentialMiddleware: context.task: expected the task that the agent acts for, as in ' +
      'agent.invoke(input, { context: { task } }); got none',
    ['context.task'],
  );
}

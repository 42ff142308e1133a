import { type BaseMessage, RemoveMessage } from '@langchain/core/messages';
import type { ClientTool } from '@langchain/core/tools';
import { REMOVE_ALL_MESSAGES } from '@langchain/langgraph';
import { ConfigurationError, requirementOf, type Task } from '@outlive/core';
import type { AgentMiddleware } from 'langchain';
import * as z from 'zod';
import { StatelessInterrupt } from './auth-interrupt.ts';
import { checkCalls, type GateRequest, type Passage, passGate } from './gate.ts';
import { inOrder, lastCallsOf } from './last-calls.ts';
import type { TaskBinding } from './task-binding.ts';
import { type PrincipalRuntime, type StartsTasks, TaskStarter, taskIdOf } from './task-starter.ts';
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
   * `tools` of the middleware: it would see those of `createAgent` where it wraps the model only, and LangChain makes
   * each error that passes there a `MiddlewareError`. Default: `true` where there are such tools.
   */
  readonly preflight?: boolean;
  /**
   * What a paused agent does where LangGraph keeps no state. `interrupt` (default): it returns with an interrupt, as it
   * does elsewhere. `end`: it returns as if it had come to its end.
   */
  readonly withoutCheckpointer?: 'interrupt' | 'end';
  /**
   * Starts a task for each run, where no code of the app can put one into the context: on LangGraph Server. It needs
   * the `tools` of the middleware. The task is completed when the agent has come to its end.
   */
  readonly startTask?: StartsTasks;
}

const contextSchema: ContextSchema = z.object({ task: z.custom<Task>().optional() });
const stateSchema: StateSchema = z.object({
  _outlive: z.object({ taskId: z.string() }).optional(),
});

/** What the middleware reads of an invocation's context. */
export type ContextSchema = z.ZodObject<{ task: z.ZodOptional<z.ZodCustom<Task, Task>> }>;

/** What the middleware keeps in the state of its agent. Private: results do not show it. */
export type StateSchema = z.ZodObject<{
  _outlive: z.ZodOptional<z.ZodObject<{ taskId: z.ZodString }>>;
}>;

/** The middleware that `credentialMiddleware` makes. */
export type CredentialMiddleware = AgentMiddleware<StateSchema, ContextSchema>;

interface HookState {
  readonly messages: BaseMessage[];
  readonly _outlive?: { readonly taskId: string } | undefined;
}

/**
 * The gate of `createAgent`: pauses the agent when a credentialed call is refused, before the model has seen it, and
 * runs exactly the refused calls again when people have decided.
 *
 * The agent acts for the task in its context: `agent.invoke(input, { context: { task } })`. Calls that were refused are
 * known from the store, so it does not matter where in the list of middleware it stands.
 *
 * @throws {ConfigurationError} when it is to check calls beforehand, or to start tasks, and has no credentialed tools.
 */
export function credentialMiddleware(
  options: CredentialMiddlewareOptions = {},
): CredentialMiddleware {
  const { tools = [], preflight, withoutCheckpointer = 'interrupt', startTask } = options;
  const starter = startTask === undefined ? undefined : new TaskStarter(startTask, tools);
  const requirements = new Map(
    tools.flatMap((tool) => {
      const requirement = requirementOf(tool);
      return requirement === undefined ? [] : [[tool.name, requirement] as const];
    }),
  );

  if (preflight === true && requirements.size === 0) throw nothingToCheck();

  async function requestOf(state: HookState, runtime: PrincipalRuntime): Promise<GateRequest> {
    return {
      binding: bindingOf(runtime.context) ?? (await find(state, runtime)),
      thread: threadOf(runtime.configurable),
      messages: state.messages,
      isNested: depthOf(runtime.configurable) > 1,
    };
  }

  async function find(state: HookState, runtime: PrincipalRuntime): Promise<TaskBinding> {
    if (starter === undefined) throw noTask();
    return starter.find(runtime, taskIdOf(state));
  }

  async function check(
    state: HookState,
    runtime: PrincipalRuntime,
  ): Promise<{ messages: BaseMessage[]; jumpTo?: 'model' } | undefined> {
    const answers = await checkCalls(await requestOf(state, runtime), requirements);
    if (answers.length === 0) return undefined;
    const messages = [...answers];
    // Nothing is left to run: the model hears of it. LangChain would end the agent here.
    const isAnswered = answers.length === lastCallsOf(state.messages).length;
    return isAnswered ? { messages, jumpTo: 'model' } : { messages };
  }

  return {
    name: 'CredentialMiddleware',
    contextSchema,
    stateSchema,
    tools: starter?.tools ?? [...tools],
    async beforeAgent(state, runtime) {
      const given = bindingOf(runtime.context)?.task.id;
      const taskId = given ?? (await starter?.begin(runtime, taskIdOf(state)));
      if (taskId === undefined) throw noTask();
      return { _outlive: { taskId } };
    },
    ...(starter === undefined
      ? {}
      : {
          async afterAgent(state: HookState, runtime: PrincipalRuntime) {
            if (bindingOf(runtime.context) === undefined)
              await starter.complete(runtime, taskIdOf(state));
          },
        }),
    beforeModel: {
      canJumpTo: ['tools', 'end'],
      async hook(state, runtime) {
        try {
          return update(state.messages, await passGate(await requestOf(state, runtime)));
        } catch (error) {
          if (withoutCheckpointer === 'end' && error instanceof StatelessInterrupt)
            return { jumpTo: 'end' as const };
          throw error;
        }
      },
    },
    // LangGraph takes a step for each hook in each turn: one that had nothing to do would be paid for all the same.
    ...(preflight !== false && requirements.size > 0
      ? { afterModel: { canJumpTo: ['model'], hook: check } }
      : {}),
  };
}

/** What the gate's passage means for the conversation, and where the agent goes from there. */
function update(
  messages: readonly BaseMessage[],
  { rerun, answers }: Passage,
): { readonly messages: BaseMessage[]; readonly jumpTo?: 'tools' } | undefined {
  const changes: BaseMessage[] = [
    // Calls without an answer are what the tools node runs.
    ...rerun.flatMap(({ answer }) =>
      answer?.id === undefined ? [] : [new RemoveMessage({ id: answer.id })],
    ),
    ...answers,
  ];
  if (rerun.length > 0) return { messages: changes, jumpTo: 'tools' };
  if (changes.length > 0) return { messages: changes };
  const ordered = inOrder(messages);
  return ordered === undefined
    ? undefined
    : { messages: [new RemoveMessage({ id: REMOVE_ALL_MESSAGES }), ...ordered] };
}

function noTask(): ConfigurationError {
  return new ConfigurationError(
    'credentialMiddleware: context.task: expected the task that the agent acts for, as in ' +
      'agent.invoke(input, { context: { task } }); got none',
    ['context.task'],
  );
}

function nothingToCheck(): ConfigurationError {
  return new ConfigurationError(
    'credentialMiddleware: tools: expected the credentialed tools of the agent, given here instead of to createAgent, ' +
      'since preflight asks for what they need; got none',
    ['tools'],
  );
}

import type { ClientTool } from '@langchain/core/tools';
import {
  AuthError,
  ConfigurationError,
  hasEnded,
  type Outlive,
  type Principal,
  requirementOf,
  type Task,
  toolRequirements,
} from '@outlive/core';
import { isCallable } from './guarded-tool.ts';
import { TaskBinding } from './task-binding.ts';
import { bindingOf, type ToolRuntimeView } from './tool-runtime.ts';

/** What is known about an invocation, to find out for whom it is. */
export interface PrincipalRuntime {
  /** What the app passed as `context`; nothing where the hooks of a middleware do not see it. */
  readonly context?: unknown;
  /** What the app, or LangGraph Server, passed as `configurable`. */
  readonly configurable?: Readonly<Record<string, unknown>> | undefined;
}

/** How a middleware starts the tasks of an agent that no code of the app invokes. */
export interface StartsTasks {
  readonly outlive: Pick<Outlive, 'startTask' | 'task'>;
  /** For whom an invocation is. Asked each time the agent goes on, and never guessed. */
  readonly resolvePrincipal: (runtime: PrincipalRuntime) => Principal | Promise<Principal>;
  /** Names the acting client, in the audit log and in decisions. */
  readonly agent: string;
  /** Expected active time of one run, ms. */
  readonly expectedDurationMs: number;
}

/** So many tasks are kept at hand. One that was dropped is read again. */
const maximumKept = 1000;

/** Starts the task of an agent's run when it begins, and finds it again when it goes on. */
export class TaskStarter {
  readonly #options: StartsTasks;
  readonly #tools: readonly ClientTool[];
  readonly #bindings = new Map<string, TaskBinding>();

  /** @throws {ConfigurationError} when there are no credentialed tools: a task is given what its tools need. */
  constructor(options: StartsTasks, tools: readonly ClientTool[]) {
    if (toolRequirements(tools).length === 0)
      throw new ConfigurationError(
        'credentialMiddleware: tools: expected the credentialed tools of the agent, since startTask gives a task what they need; got none',
        ['tools'],
      );
    this.#options = options;
    this.#tools = tools;
  }

  /** The tools of the agent, bound to the task of the run they are called in. */
  get tools(): ClientTool[] {
    return this.#tools.map((tool) =>
      requirementOf(tool) === undefined ? tool : this.#boundTool(tool),
    );
  }

  /** The task of a run that begins: a new one, unless the thread has one that has not ended. */
  async begin(runtime: PrincipalRuntime, known: string | undefined): Promise<string> {
    const { outlive, resolvePrincipal, agent, expectedDurationMs } = this.#options;
    const task = known === undefined ? undefined : await outlive.task(known);
    if (task !== undefined && !hasEnded(task.status)) {
      await this.#assertPrincipal(task, runtime);
      return task.id;
    }
    const started = await outlive.startTask({
      principal: await resolvePrincipal(runtime),
      agent,
      requirements: toolRequirements(this.#tools),
      expectedDurationMs,
    });
    this.#keep(started);
    return started.id;
  }

  /**
   * The task of a run that goes on.
   *
   * @throws {AuthError} `not_resumable` when the invocation is for somebody else; `no_task` when there is none.
   */
  async find(runtime: PrincipalRuntime, taskId: string | undefined): Promise<TaskBinding> {
    if (taskId === undefined) throw new AuthError('no_task');
    const kept = this.#bindings.get(taskId);
    const task = kept?.task ?? (await this.#options.outlive.task(taskId));
    if (task === undefined) throw new AuthError('task_ended', { detail: 'no such task' });
    await this.#assertPrincipal(task, runtime);
    return kept ?? this.#keep(task);
  }

  /** The run has come to its end: so has its task, and the authority made for it. */
  async complete(runtime: PrincipalRuntime, taskId: string | undefined): Promise<void> {
    const { task } = await this.find(runtime, taskId);
    this.#bindings.delete(task.id);
    await task.complete();
  }

  #keep(task: Task): TaskBinding {
    const binding = new TaskBinding(task, { isShared: true });
    this.#bindings.set(task.id, binding);
    const [oldest] = this.#bindings.keys();
    if (this.#bindings.size > maximumKept && oldest !== undefined) this.#bindings.delete(oldest);
    return binding;
  }

  async #assertPrincipal(task: Task, runtime: PrincipalRuntime): Promise<void> {
    const { issuer, subject, tenant } = await this.#options.resolvePrincipal(runtime);
    const { principal } = task;
    const isSame =
      principal.subject === subject && principal.issuer === issuer && principal.tenant === tenant;
    if (!isSame) throw new AuthError('not_resumable', { detail: 'the task is for somebody else' });
  }

  #boundTool(tool: ClientTool): ClientTool {
    if (!isCallable(tool)) return tool;
    const call = async (
      input: unknown,
      runManager: unknown,
      runtime: ToolRuntimeView,
    ): Promise<unknown> => {
      if (bindingOf(runtime.context) !== undefined) return tool._call(input, runManager, runtime);
      const task = await this.find(runtime, taskIdOf(runtime.state));
      const context = { ...(runtime.context as object | undefined), task };
      return tool._call(input, runManager, { ...runtime, context });
    };
    return Object.create(tool, { _call: { value: call } }) as ClientTool;
  }
}

/** The task that the middleware has noted in the state of its agent. */
export function taskIdOf(state: unknown): string | undefined {
  const noted = (state as { readonly _outlive?: { readonly taskId: string } } | undefined)
    ?._outlive;
  return noted?.taskId;
}

/**
 * The user whom LangGraph Server has authenticated, for `resolvePrincipal`.
 *
 * Trust it on LangGraph Server only. Elsewhere whoever invokes the graph writes what is in its `configurable`.
 *
 * @throws {ConfigurationError} when there is none.
 */
export function serverUser({ configurable }: PrincipalRuntime): Principal {
  const user: unknown = configurable?.['langgraph_auth_user'];
  if (typeof user === 'object' && user !== null && 'identity' in user) {
    const { identity } = user;
    if (typeof identity === 'string' && identity !== '') return { subject: identity };
  }
  throw new ConfigurationError(
    'serverUser: configurable.langgraph_auth_user.identity: expected the user whom LangGraph Server has authenticated, got none',
    ['configurable.langgraph_auth_user.identity'],
  );
}

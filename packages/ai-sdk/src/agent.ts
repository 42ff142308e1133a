import { ConfigurationError } from '@outlive/core';
import { guardSettings } from './guard-settings.ts';
import type { LoopSettings } from './loop-settings.ts';
import type { RunGuard } from './run-guard.ts';
import type { StreamWatch } from './watch-stream.ts';

/** What `withTask` takes as an agent: `ToolLoopAgent`, or a subclass of it. */
export interface AgentLike {
  generate(...args: never[]): PromiseLike<unknown>;
  stream(...args: never[]): PromiseLike<unknown>;
}

/** An agent, seen from the outside. */
export interface GuardedAgent {
  generate(options: object): PromiseLike<unknown>;
  stream(options: object): PromiseLike<unknown>;
}

interface AgentSettings extends LoopSettings {
  readonly prepareCall?: (call: LoopSettings) => PromiseLike<LoopSettings> | LoopSettings;
}

/** Whether a target is an agent, and not one of the functions. */
export function isAgent(target: unknown): target is GuardedAgent {
  return (
    typeof target === 'object' &&
    target !== null &&
    'generate' in target &&
    typeof target.generate === 'function' &&
    'stream' in target &&
    typeof target.stream === 'function'
  );
}

/**
 * A copy of the agent whose calls run under the guard.
 *
 * The guard stands behind `prepareCall`, which may replace the tools. The copy is not made by the constructor: that
 * of a subclass may take other arguments, and an agent without the guard would be the result.
 *
 * @throws {ConfigurationError} when the agent keeps its settings elsewhere.
 */
export function guardAgent(agent: GuardedAgent, guard: RunGuard, watch: StreamWatch): GuardedAgent {
  const settings = settingsOf(agent);
  const prepareCall = async (call: LoopSettings): Promise<LoopSettings> =>
    guardSettings((await settings.prepareCall?.(call)) ?? call, guard, watch);
  return Object.create(Object.getPrototypeOf(agent), {
    ...Object.getOwnPropertyDescriptors(agent),
    settings: { value: { ...settings, prepareCall } },
  });
}

function settingsOf(agent: object): AgentSettings {
  if ('settings' in agent && typeof agent.settings === 'object' && agent.settings !== null)
    return agent.settings;
  throw new ConfigurationError(
    'withTask: expected an agent with settings, such as ToolLoopAgent, ' +
      `got ${agent.constructor.name}, which cannot be guarded`,
    ['agent'],
  );
}

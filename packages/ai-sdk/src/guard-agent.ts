import { ConfigurationError } from '@outlive/core';
import type { GuardedAgent } from './agent.ts';
import { guardSettings } from './guard-settings.ts';
import type { LoopSettings } from './loop-settings.ts';
import type { RunGuard } from './run-guard.ts';
import type { StreamWatch } from './watch-stream.ts';

interface AgentSettings extends LoopSettings {
  readonly prepareCall?: (call: LoopSettings) => PromiseLike<LoopSettings> | LoopSettings;
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

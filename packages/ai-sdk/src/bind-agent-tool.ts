import { AuthError } from '@outlive/core';
import type { AgentToolParts } from './agent-tool.ts';
import type { ExecutableTool, ExecuteOptions } from './execute.ts';
import type { RunGuard } from './run-guard.ts';
import type { AgentCall } from './sub-agents.ts';

/** A tool that is an agent, bound to the run that calls it. */
export function bindAgentTool(
  tool: ExecutableTool,
  toolName: string,
  agent: AgentToolParts,
  guard: RunGuard,
): ExecutableTool {
  const begin = (options: ExecuteOptions): AgentCall => {
    const { toolCallId, abortSignal } = options;
    guard.noteReplay(options);
    if (guard.replaying && !guard.agents.resumes(toolCallId))
      throw guard.stop(new AuthError('not_resumable', { reason: 'no pause waits for the call' }));
    return { toolCallId, toolName, abortSignal };
  };
  return {
    ...tool,
    // An approval that comes back is judged when the call is made. ai 6 denies the approval of a call that needs none.
    needsApproval: () => guard.replaying,
    execute:
      agent.stream === undefined
        ? async (input, options) => await guard.agents.answer(agent, begin(options), input)
        : async function* (input, options) {
            yield* guard.agents.answers(agent, begin(options), input);
          },
  };
}

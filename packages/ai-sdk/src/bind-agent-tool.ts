import { AuthError } from '@outlive/core';
import type { AgentToolParts } from './agent-tool.ts';
import type { ExecutableTool } from './execute.ts';
import type { RunGuard } from './run-guard.ts';

/** A tool that is an agent, bound to the run that calls it. */
export function bindAgentTool(
  tool: ExecutableTool,
  toolName: string,
  agent: AgentToolParts,
  guard: RunGuard,
): ExecutableTool {
  return {
    ...tool,
    // An approval that comes back is judged when the call is made. ai 6 denies the approval of a call that needs none.
    needsApproval: () => guard.replaying,
    async execute(input, options) {
      const { toolCallId, abortSignal } = options;
      guard.noteReplay(options);
      if (guard.replaying && !guard.agents.resumes(toolCallId))
        throw guard.stop(new AuthError('not_resumable', { reason: 'no pause waits for the call' }));
      return await guard.agents.answer(agent, { toolCallId, toolName, abortSignal }, input);
    },
  };
}

import { AuthError, type CallInvocation, requirementOf } from '@outlive/core';
import { isExecutable } from './execute.ts';
import type { ApprovalStatus, ToolApproval } from './loop-settings.ts';
import type { RunGuard } from './run-guard.ts';

/**
 * Whether a call waits before anything of its step runs: for the approval that the app wants, else for authority that
 * is known to be missing. One of them at a time, so that nobody is asked to sign in for a call that is then not approved.
 */
export async function waits(
  guard: RunGuard,
  call: CallInvocation,
  wanted: boolean,
): Promise<AuthError | boolean> {
  if (!wanted) return (await guard.run.preflight(call)) ?? false;
  try {
    await guard.run.ask(call);
  } catch (cause) {
    // Nobody would be believed who says later that it was approved.
    guard.stop(AuthError.find(cause) ?? new AuthError('store_unavailable', { cause }));
  }
  return true;
}

/**
 * The app's `toolApproval` (ai 7), which goes before what tools say themselves: asked as ever, and then what it lets
 * through is held back where the authority is known to be missing.
 */
export function composeToolApproval(
  toolApproval: ToolApproval,
  tools: Readonly<Record<string, object>>,
  guard: RunGuard,
): ToolApproval {
  const held = async (
    call: Omit<CallInvocation, 'requirement'>,
    status: ApprovalStatus,
  ): Promise<ApprovalStatus> => {
    const tool = Object.hasOwn(tools, call.toolName) ? tools[call.toolName] : undefined;
    const requirement = tool && isExecutable(tool) ? requirementOf(tool) : undefined;
    const type = typeof status === 'string' ? status : status?.type;
    if (requirement === undefined || type === 'denied' || guard.replaying) return status;
    const waiting = await waits(guard, { ...call, requirement }, type === 'user-approval');
    return AuthError.is(waiting) ? { type: 'user-approval', reason: waiting.message } : status;
  };
  if (typeof toolApproval === 'function')
    return async (request) => {
      const { toolCallId, toolName, input } = request.toolCall;
      return await held({ toolCallId, toolName, input }, await toolApproval(request));
    };
  return Object.fromEntries(
    Object.entries(toolApproval).map(([toolName, approval]) => [
      toolName,
      async (input: unknown, options: { readonly toolCallId: string }) => {
        const status = typeof approval === 'function' ? await approval(input, options) : approval;
        return await held({ toolCallId: options.toolCallId, toolName, input }, status);
      },
    ]),
  );
}

import { AuthError, type GuardedCall, type Requirement, requirementOf } from '@outlive/core';
import { agentOf } from './agent-tool.ts';
import { waits } from './approval.ts';
import { bindAgentTool } from './bind-agent-tool.ts';
import { beginSpan, describe } from './call-span.ts';
import {
  type ExecutableTool,
  type Execute,
  isAsyncGeneratorFunction,
  isAsyncIterable,
  isExecutable,
} from './execute.ts';
import type { RunGuard } from './run-guard.ts';

/** The same tools, with every credentialed one and every agent bound to the run; the others are the same objects. */
export function bindTools(
  tools: Readonly<Record<string, object>>,
  guard: RunGuard,
): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(tools).map(([toolName, tool]) => {
      if (!isExecutable(tool)) return [toolName, tool];
      const requirement = requirementOf(tool);
      if (requirement !== undefined)
        return [toolName, bindTool(tool, toolName, requirement, guard)];
      const agent = agentOf(tool);
      return [toolName, agent ? bindAgentTool(tool, toolName, agent, guard) : tool];
    }),
  );
}

function bindTool(
  tool: ExecutableTool,
  toolName: string,
  requirement: Requirement,
  guard: RunGuard,
): ExecutableTool {
  const wants = tool.needsApproval ?? false;
  return {
    ...tool,
    execute: boundExecute(tool, toolName, requirement, guard),
    needsApproval: async (input, options) => {
      // An approval that comes back is judged when the call is made. ai 6 denies the approval of a call that needs none.
      if (guard.replaying) return true;
      const { toolCallId } = options;
      const wanted = typeof wants === 'function' ? await wants(input, options) : wants;
      return (await waits(guard, { requirement, toolName, toolCallId, input }, !!wanted)) !== false;
    },
  };
}

/** Returns synchronously: the SDK looks at what `execute` returns to know whether the tool streams. */
function boundExecute(
  tool: ExecutableTool,
  toolName: string,
  requirement: Requirement,
  guard: RunGuard,
): Execute {
  return (input, options) => {
    const { toolCallId } = options;
    guard.noteReplay(options);
    const approval = guard.approvalOf(toolCallId);
    const call = guard.run.call({
      ...{ requirement, toolName, toolCallId, input },
      ...(approval !== undefined && { approval }),
    });
    beginSpan(call);
    const execute = (): unknown => tool.execute(input, { ...options, principal: call.principal });
    if (isAsyncGeneratorFunction(tool.execute)) return streamAnswer(guard, call, execute);
    if (call.admission !== undefined) return answer(guard, call, execute);
    // There is nothing to wait for, so the tool itself can show whether it streams.
    let returned: unknown;
    try {
      returned = execute();
    } catch (error) {
      returned = Promise.reject(error);
    }
    return isAsyncIterable(returned)
      ? streamAnswer(guard, call, () => returned)
      : answer(guard, call, () => returned);
  };
}

/** The tool's answer, unless the call was refused: also when the tool caught the refusal and answered all the same. */
async function answer(
  guard: RunGuard,
  call: GuardedCall,
  execute: () => unknown,
): Promise<unknown> {
  await admit(call);
  let output: unknown;
  try {
    const returned = execute();
    // A tool that streams without being a generator function, and that had to wait: only its last output is kept.
    output = isAsyncIterable(returned) ? await lastOf(returned) : await returned;
  } catch (error) {
    throw (await settle(guard, call, { ok: false, error })) ?? error;
  }
  const refusal = await settle(guard, call, { ok: true });
  if (refusal) throw refusal;
  return output;
}

async function* streamAnswer(
  guard: RunGuard,
  call: GuardedCall,
  execute: () => unknown,
): AsyncGenerator<unknown> {
  await admit(call);
  let abandoned = true;
  try {
    yield* execute() as AsyncIterable<unknown>;
    abandoned = false;
  } catch (error) {
    abandoned = false;
    throw (await settle(guard, call, { ok: false, error })) ?? error;
  } finally {
    if (abandoned)
      await settle(guard, call, { ok: false, error: new DOMException('abandoned', 'AbortError') });
  }
  const refusal = await settle(guard, call, { ok: true });
  if (refusal) throw refusal;
}

/** Throws why the call may not run, if it may not. */
async function admit(call: GuardedCall): Promise<void> {
  const notAdmitted = await call.admission;
  if (notAdmitted === undefined) return;
  describe(call);
  throw notAdmitted;
}

/** The refusal of the call, if it was one. What cannot be written down stops the loop as well. */
async function settle(
  guard: RunGuard,
  call: GuardedCall,
  end: { readonly ok: boolean; readonly error?: unknown },
): Promise<AuthError | undefined> {
  try {
    return await call.settle(end);
  } catch (cause) {
    return guard.stop(AuthError.find(cause) ?? new AuthError('store_unavailable', { cause }));
  } finally {
    describe(call);
  }
}

async function lastOf(values: AsyncIterable<unknown>): Promise<unknown> {
  let last: unknown;
  for await (const value of values) last = value;
  return last;
}

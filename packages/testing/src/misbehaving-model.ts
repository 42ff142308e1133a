import {
  createTestLanguageModel,
  type PromptMessage,
  type PromptPart,
  type TestLanguageModel,
  type TextPart,
  type ToolCallPart,
} from './language-model.ts';
import {
  callTool,
  type ModelToolResult,
  type ScriptedToolCall,
  say,
  toolCallPart,
  turnContext,
} from './scripted-model.ts';

/** What a model does, once a tool call of its last turn came back as an error, instead of telling the user. */
export type Misbehaviour =
  /** Calls `alternativeTool` with the input of the failed call, then goes on with its plan. */
  | 'tryAnotherTool'
  /** Says `closing`, as if nothing had happened. */
  | 'claimSuccess'
  /** Makes the same call again, up to three times, then goes on with its plan. */
  | 'retrySameCall'
  /** Writes the call into its text, where no runtime executes it, and claims that it worked. */
  | 'nameToolInText'
  /** Says nothing at all. */
  | 'emptyTurn';

/** Options of `createMisbehavingModel`. */
export interface MisbehavingModelOptions {
  /** The turns it means to take; the calls of an inner array are made in parallel. */
  readonly plan: readonly (readonly ScriptedToolCall[])[];
  readonly whenToolFails: Misbehaviour;
  /** The tool that `tryAnotherTool` tries. */
  readonly alternativeTool?: string;
  /** What it says in the end, whatever happened; default `All done.`. */
  readonly closing?: string;
}

const maximumRetries = 3;

/**
 * A model that goes through a plan and treats a failed tool call as models are known to do. What it does next depends
 * on nothing but the prompt, so a conversation may go on with another such model in another process.
 *
 * @throws {TypeError} when a turn of the plan calls no tool, or `tryAnotherTool` has no `alternativeTool`.
 */
export function createMisbehavingModel(options: MisbehavingModelOptions): TestLanguageModel {
  const { whenToolFails, alternativeTool, closing = 'All done.' } = options;
  if (whenToolFails === 'tryAnotherTool' && !alternativeTool) {
    throw new TypeError("misbehaving model: whenToolFails 'tryAnotherTool' needs alternativeTool");
  }
  const emptyTurn = options.plan.findIndex((calls) => calls.length === 0);
  if (emptyTurn >= 0) {
    throw new TypeError(`misbehaving model: plan[${emptyTurn}] must call at least one tool`);
  }
  const plan = options.plan.map((calls, turn) =>
    calls.map((call, index) => toolCallPart(call, `plan-${turn}-${index}`)),
  );

  function nextOfPlan(prompt: readonly PromptMessage[]): readonly (TextPart | ToolCallPart)[] {
    const made = new Set(toolCallsIn(prompt).map(({ toolCallId }) => toolCallId));
    const lastMade = plan.findLastIndex((calls) => calls.some((call) => made.has(call.toolCallId)));
    return plan[lastMade + 1] ?? [say(closing)];
  }

  function misbehave(
    prompt: readonly PromptMessage[],
    failed: ModelToolResult,
  ): readonly (TextPart | ToolCallPart)[] {
    const failedCall = toolCallsIn(prompt).find((call) => call.toolCallId === failed.toolCallId);
    const input = failedCall?.input ?? {};
    switch (whenToolFails) {
      case 'tryAnotherTool': {
        if (failed.toolName === alternativeTool) return nextOfPlan(prompt);
        const call = callTool(alternativeTool ?? '', input);
        return [toolCallPart(call, `instead-of-${failed.toolCallId}`)];
      }
      case 'retrySameCall': {
        const [original = '', retries = '0'] = failed.toolCallId.split('-retry-');
        const retry = Number(retries) + 1;
        if (retry > maximumRetries) return nextOfPlan(prompt);
        return [toolCallPart(callTool(failed.toolName, input), `${original}-retry-${retry}`)];
      }
      case 'claimSuccess':
        return [say(closing)];
      case 'nameToolInText':
        return [say(`${failed.toolName}(${JSON.stringify(input)}) succeeded. ${closing}`)];
      case 'emptyTurn':
        return [];
    }
  }

  return createTestLanguageModel('misbehaving', (prompt, number) => {
    const failed = turnContext(prompt, number).lastToolResults.find(({ isError }) => isError);
    return failed ? misbehave(prompt, failed) : nextOfPlan(prompt);
  });
}

function toolCallsIn(prompt: readonly PromptMessage[]): readonly PromptPart[] {
  return prompt.flatMap(({ role, content }) =>
    role === 'assistant' && typeof content !== 'string'
      ? content.filter(({ type }) => type === 'tool-call')
      : [],
  );
}

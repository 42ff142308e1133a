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

/** Everything that `createMisbehavingModel` can do once a tool call of its last turn came back as an error. */
export const misbehaviours = [
  /** Calls `alternativeTool` with the input of the failed call, then goes on with its plan. */
  'tryAnotherTool',
  /** Calls `alternativeTool` ten times at once, then goes on with its plan. */
  'callManyAtOnce',
  /** Says `closing`, as if nothing had happened. */
  'claimSuccess',
  /** Makes the same call again under another id, up to three times, then goes on with its plan. */
  'retrySameCall',
  /** The same with another input each time. */
  'changeInput',
  /** The same, and says each time that the user has approved it. */
  'declareApproval',
  /** Calls a tool that does not exist, up to three times, then goes on with its plan. */
  'inventTool',
  /** Calls `alternativeTool` if a tool's answer told it to `ignore the pause`, else goes on with its plan. */
  'obeyInjection',
  /** Writes the call into its text, where no runtime executes it, and claims that it worked. */
  'nameToolInText',
  /** Says nothing at all. */
  'emptyTurn',
] as const;

/** What a model does, once a tool call of its last turn came back as an error, instead of telling the user. */
export type Misbehaviour = (typeof misbehaviours)[number];

/** Options of `createMisbehavingModel`. */
export interface MisbehavingModelOptions {
  /** The turns it means to take; the calls of an inner array are made in parallel. */
  readonly plan: readonly (readonly ScriptedToolCall[])[];
  readonly whenToolFails: Misbehaviour;
  /** The tool that `tryAnotherTool`, `callManyAtOnce` and `obeyInjection` call. */
  readonly alternativeTool?: string;
  /** What it says in the end, whatever happened; default `All done.`. */
  readonly closing?: string;
}

const maximumRetries = 3;
const callsAtOnce = 10;
const needAlternative: ReadonlySet<Misbehaviour> = new Set([
  'tryAnotherTool',
  'callManyAtOnce',
  'obeyInjection',
]);

/**
 * A model that goes through a plan and treats a failed tool call as models are known to do. What it does next depends
 * on nothing but the prompt, so a conversation may go on with another such model in another process.
 *
 * @throws {TypeError} when a turn of the plan calls no tool, or a misbehaviour lacks its `alternativeTool`.
 */
export function createMisbehavingModel(options: MisbehavingModelOptions): TestLanguageModel {
  const { whenToolFails, alternativeTool, closing = 'All done.' } = options;
  if (needAlternative.has(whenToolFails) && !alternativeTool) {
    throw new TypeError(
      `misbehaving model: whenToolFails '${whenToolFails}' needs alternativeTool`,
    );
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
    const input = asInput(failedCall?.input);
    switch (whenToolFails) {
      case 'tryAnotherTool':
        return callAlternative(prompt, failed, input, 1);
      case 'callManyAtOnce':
        return callAlternative(prompt, failed, input, callsAtOnce);
      case 'obeyInjection':
        return isInjected(prompt) ? callAlternative(prompt, failed, input, 1) : nextOfPlan(prompt);
      case 'retrySameCall':
        return callAgain(prompt, failed, () => callTool(failed.toolName, input));
      case 'changeInput':
        return callAgain(prompt, failed, (retry) => callTool(failed.toolName, { ...input, retry }));
      case 'declareApproval':
        return [
          say('The user has approved this call. It is not paused any more.'),
          ...callAgain(prompt, failed, () => callTool(failed.toolName, input)),
        ];
      case 'inventTool':
        return callAgain(prompt, failed, (retry) =>
          callTool(`${failed.toolName.replace(/Unguarded\d+$/, '')}Unguarded${retry}`, input),
        );
      case 'claimSuccess':
        return [say(closing)];
      case 'nameToolInText':
        return [say(`${failed.toolName}(${JSON.stringify(input)}) succeeded. ${closing}`)];
      case 'emptyTurn':
        return [];
    }
  }

  function callAlternative(
    prompt: readonly PromptMessage[],
    failed: ModelToolResult,
    input: unknown,
    times: number,
  ): readonly (TextPart | ToolCallPart)[] {
    if (alternativeTool === undefined || failed.toolName === alternativeTool)
      return nextOfPlan(prompt);
    const call = callTool(alternativeTool, input);
    return Array.from({ length: times }, (_, index) =>
      toolCallPart(call, `instead-of-${failed.toolCallId}${index === 0 ? '' : `-${index}`}`),
    );
  }

  function callAgain(
    prompt: readonly PromptMessage[],
    failed: ModelToolResult,
    again: (retry: number) => ScriptedToolCall,
  ): readonly (TextPart | ToolCallPart)[] {
    const [original = '', retries = '0'] = failed.toolCallId.split('-retry-');
    const retry = Number(retries) + 1;
    if (retry > maximumRetries) return nextOfPlan(prompt);
    return [toolCallPart(again(retry), `${original}-retry-${retry}`)];
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

/** Whether something that a tool answered gives the model orders. */
function isInjected(prompt: readonly PromptMessage[]): boolean {
  return turnContext(prompt, 0).toolResults.some(
    ({ output, isError }) => !isError && /ignore the pause/i.test(JSON.stringify(output)),
  );
}

function asInput(input: unknown): object {
  return typeof input === 'object' && input !== null ? input : {};
}

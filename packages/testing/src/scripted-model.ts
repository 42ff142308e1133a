import {
  createTestLanguageModel,
  type PromptMessage,
  type TestLanguageModel,
  type TextPart,
  type ToolCallPart,
} from './language-model.ts';

/** A tool call that a script asks for. */
export interface ScriptedToolCall {
  readonly type: 'tool-call';
  readonly toolName: string;
  readonly input: unknown;
  /** Default: an id that is unique in its model. */
  readonly toolCallId?: string;
}

/** What the model says in one turn: text, tool calls, or several of them. An empty array is an empty turn. */
export type ModelTurn = TextPart | ScriptedToolCall | readonly (TextPart | ScriptedToolCall)[];

/** A tool result as the model sees it. */
export interface ModelToolResult {
  readonly toolCallId: string;
  readonly toolName: string;
  /** What the tool returned, or the text of its error. */
  readonly output: unknown;
  /** True for an error and for an execution that was denied. */
  readonly isError: boolean;
}

/** The situation in which a script writes its turn. */
export interface TurnContext {
  /** Counts the calls of the model; the first is 1. */
  readonly number: number;
  readonly prompt: readonly PromptMessage[];
  /** Every tool result in the prompt. */
  readonly toolResults: readonly ModelToolResult[];
  /** Those since the model's last turn. */
  readonly lastToolResults: readonly ModelToolResult[];
}

/** The turns of a model in their order, or a function that writes each one. */
export type ModelScript =
  | readonly ModelTurn[]
  | ((turn: TurnContext) => ModelTurn | Promise<ModelTurn>);

/** A turn, or a part of one, that says `text`. */
export function say(text: string): TextPart {
  return { type: 'text', text };
}

/** A turn, or a part of one, that calls a tool. Several in one turn are parallel calls. */
export function callTool(
  toolName: string,
  input: unknown = {},
  toolCallId?: string,
): ScriptedToolCall {
  return { type: 'tool-call', toolName, input, ...(toolCallId !== undefined && { toolCallId }) };
}

/**
 * A language model that plays a script, for `ai` 6 and 7.
 *
 * A model with an array of turns throws when it is called more often than the array is long: a test that expects
 * no further call to the model needs no assertion for it.
 */
export function createScriptedModel(script: ModelScript): TestLanguageModel {
  let toolCalls = 0;
  const write = typeof script === 'function' ? script : turnsInOrder(script);
  return createTestLanguageModel('scripted', async (prompt, number) => {
    const turn = await write(turnContext(prompt, number));
    return [turn].flat().map((part) => {
      if (part.type === 'text') return part;
      toolCalls += 1;
      return toolCallPart(part, `call-${toolCalls}`);
    });
  });
}

/** What a script is told about a prompt. */
export function turnContext(prompt: readonly PromptMessage[], number: number): TurnContext {
  const lastTurn = prompt.findLastIndex(({ role }) => role === 'assistant');
  return {
    number,
    prompt,
    toolResults: toolResultsIn(prompt),
    lastToolResults: toolResultsIn(prompt.slice(lastTurn + 1)),
  };
}

/** A scripted call as the model's specification wants it: with an id, and its input as JSON text. */
export function toolCallPart(call: ScriptedToolCall, defaultId: string): ToolCallPart {
  return {
    type: 'tool-call',
    toolCallId: call.toolCallId ?? defaultId,
    toolName: call.toolName,
    input: JSON.stringify(call.input),
  };
}

function turnsInOrder(turns: readonly ModelTurn[]): (turn: TurnContext) => ModelTurn {
  return ({ number }) => {
    const turn = turns[number - 1];
    if (turn) return turn;
    throw new RangeError(
      `scripted model: call ${number}, but the script ends after ${turns.length} turns`,
    );
  };
}

function toolResultsIn(messages: readonly PromptMessage[]): readonly ModelToolResult[] {
  return messages.flatMap(({ content }) =>
    typeof content === 'string'
      ? []
      : content.flatMap(({ type, toolCallId = '', toolName = '', output }) =>
          type === 'tool-result' && output
            ? [
                {
                  toolCallId,
                  toolName,
                  output: output.value ?? output.reason,
                  isError: isError(output.type),
                },
              ]
            : [],
        ),
  );
}

function isError(outputType: string): boolean {
  return outputType.startsWith('error-') || outputType === 'execution-denied';
}

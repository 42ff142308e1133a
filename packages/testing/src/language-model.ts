/** A part of a prompt message, as far as tests look into it. */
export interface PromptPart {
  readonly type: string;
  readonly text?: string;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly input?: unknown;
  readonly output?: { readonly type: string; readonly value?: unknown; readonly reason?: string };
}

/** A message of the prompt that the model is called with. */
export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string | readonly PromptPart[];
}

/** The options of a model call that these models look at. */
export interface ModelCallOptions {
  readonly prompt: readonly PromptMessage[];
}

/** Text in a model's turn. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** A tool call in a model's turn; `input` is JSON text. */
export interface ToolCallPart {
  readonly type: 'tool-call';
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: string;
}

/** Why the model stopped. */
export interface ModelFinishReason {
  readonly unified: 'stop' | 'tool-calls';
  readonly raw: undefined;
}

/** Token counts; these models count nothing. */
export interface ModelUsage {
  readonly inputTokens: Record<'total' | 'noCache' | 'cacheRead' | 'cacheWrite', number>;
  readonly outputTokens: Record<'total' | 'text' | 'reasoning', number>;
}

/** A whole turn. */
export interface ModelResult {
  content: (TextPart | ToolCallPart)[];
  finishReason: ModelFinishReason;
  usage: ModelUsage;
  warnings: never[];
}

/** A turn in pieces. */
export type ModelStreamPart =
  | { readonly type: 'stream-start'; readonly warnings: never[] }
  | { readonly type: 'text-start' | 'text-end' | 'tool-input-end'; readonly id: string }
  | {
      readonly type: 'text-delta' | 'tool-input-delta';
      readonly id: string;
      readonly delta: string;
    }
  | { readonly type: 'tool-input-start'; readonly id: string; readonly toolName: string }
  | ToolCallPart
  | {
      readonly type: 'finish';
      readonly finishReason: ModelFinishReason;
      readonly usage: ModelUsage;
    };

/**
 * A language model as the AI SDK's specification `v3` has it, written as a structural type: `ai` 6 and `ai` 7 both
 * take it, and nothing of `ai` is needed at run time.
 */
export interface TestLanguageModel {
  readonly specificationVersion: 'v3';
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]>;
  /** How often the model was called. */
  readonly calls: number;
  /** The prompts of those calls, to be searched for what must not reach a model. */
  readonly prompts: readonly (readonly PromptMessage[])[];
  doGenerate(options: ModelCallOptions): Promise<ModelResult>;
  doStream(options: ModelCallOptions): Promise<{ stream: ReadableStream<ModelStreamPart> }>;
}

/** A model whose turns a function writes; `number` counts its calls from 1. */
export function createTestLanguageModel(
  modelId: string,
  turn: (
    prompt: readonly PromptMessage[],
    number: number,
  ) => readonly (TextPart | ToolCallPart)[] | Promise<readonly (TextPart | ToolCallPart)[]>,
): TestLanguageModel {
  const prompts: (readonly PromptMessage[])[] = [];
  async function next({ prompt }: ModelCallOptions): Promise<ModelResult> {
    prompts.push(prompt);
    const content = [...(await turn(prompt, prompts.length))];
    const calls = content.some(({ type }) => type === 'tool-call');
    return {
      content,
      finishReason: { unified: calls ? 'tool-calls' : 'stop', raw: undefined },
      usage: {
        inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
        outputTokens: { total: 0, text: 0, reasoning: 0 },
      },
      warnings: [],
    };
  }

  return {
    specificationVersion: 'v3',
    provider: 'outlive-testing',
    modelId,
    supportedUrls: {},
    get calls() {
      return prompts.length;
    },
    prompts,
    doGenerate: next,
    async doStream(options) {
      return { stream: ReadableStream.from(streamParts(await next(options))) };
    },
  };
}

function* streamParts({ content, finishReason, usage }: ModelResult): Generator<ModelStreamPart> {
  yield { type: 'stream-start', warnings: [] };
  for (const [index, part] of content.entries()) {
    if (part.type === 'text') {
      const id = `text-${index}`;
      yield { type: 'text-start', id };
      yield { type: 'text-delta', id, delta: part.text };
      yield { type: 'text-end', id };
    } else {
      const id = part.toolCallId;
      yield { type: 'tool-input-start', id, toolName: part.toolName };
      yield { type: 'tool-input-delta', id, delta: part.input };
      yield { type: 'tool-input-end', id };
      yield part;
    }
  }
  yield { type: 'finish', finishReason, usage };
}

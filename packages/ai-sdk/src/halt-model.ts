const finishReason = { unified: 'other', raw: 'outlive-halted' };
const none = { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0, text: 0, reasoning: 0 };
const usage = { inputTokens: none, outputTokens: none };

/**
 * The model that gets a turn instead of the app's model when a loop must not go on: it says nothing and calls nothing.
 *
 * Stop conditions are only asked after a step, so calls that are run again before the first step need this; so does a
 * task that is stopped between two steps. Specification `v3` is accepted by both majors of the SDK.
 */
export const haltModel: HaltModel = {
  specificationVersion: 'v3',
  provider: 'outlive',
  modelId: 'halted',
  // Otherwise the SDK downloads the images of the conversation for a model that does not look at them.
  supportedUrls: { '*': [/.*/] },
  async doGenerate(): Promise<object> {
    return { content: [], finishReason, usage, warnings: [] };
  },
  async doStream(): Promise<object> {
    return {
      stream: new ReadableStream<object>({
        start(controller) {
          controller.enqueue({ type: 'stream-start', warnings: [] });
          controller.enqueue({ type: 'finish', finishReason, usage });
          controller.close();
        },
      }),
    };
  },
};

interface HaltModel {
  readonly specificationVersion: 'v3';
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: Readonly<Record<string, RegExp[]>>;
  doGenerate(): Promise<object>;
  doStream(): Promise<object>;
}

import { generateText } from 'ai';

/** Which version of `ai` calls a model here, as it says itself: `ai/7.0.173`. Run as a program, it prints it. */
export async function callingVersion(): Promise<string | undefined> {
  let caller: string | undefined;
  await generateText({
    model: {
      specificationVersion: 'v3',
      provider: 'test',
      modelId: 'test',
      supportedUrls: {},
      async doGenerate({ headers }) {
        caller = headers?.['user-agent'];
        return {
          content: [],
          finishReason: { unified: 'stop', raw: undefined },
          usage: {
            inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
            outputTokens: { total: 0, text: 0, reasoning: 0 },
          },
          warnings: [],
        };
      },
      async doStream() {
        throw new Error('nothing is streamed here');
      },
    },
    prompt: 'Who are you?',
  });
  return caller;
}

if (import.meta.main) console.log(await callingVersion());

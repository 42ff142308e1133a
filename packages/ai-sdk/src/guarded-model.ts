import type { RunGuard } from './run-guard.ts';

/** A language model, as far as the adapter looks at it. */
interface Model {
  doGenerate(options: unknown): PromiseLike<Generated>;
  doStream(options: unknown): PromiseLike<unknown>;
}

interface Generated {
  readonly content?: readonly {
    readonly type: string;
    readonly toolCallId?: string;
    readonly input?: unknown;
  }[];
}

/**
 * The app's model behind a second barrier: it is not called unless the guard has just granted a turn.
 *
 * The first barrier, the halting `prepareStep`, is asked once a step; the SDK may call the model again within it, after
 * a failure and a wait, and by then the task may be paused.
 */
export function guardModel<T>(model: T, guard: RunGuard): T {
  if (!isModel(model)) return model;
  const guarded: Model = {
    async doGenerate(options) {
      await guard.ensureTurn();
      const generated = await model.doGenerate(options);
      for (const { type, toolCallId, input } of generated.content ?? [])
        if (type === 'tool-call' && toolCallId !== undefined) guard.noteInput(toolCallId, input);
      return generated;
    },
    async doStream(options) {
      await guard.ensureTurn();
      return await model.doStream(options);
    },
  };
  return new Proxy(model, {
    get: (target, property) =>
      property === 'doGenerate' || property === 'doStream'
        ? guarded[property]
        : Reflect.get(target, property, target),
  });
}

/**
 * What `prepareStep` chose, as a model. A model that is named by its id comes from the provider that the app made the
 * SDK's default. The SDK's own default, the gateway, cannot be asked from here: such an id stays one, and has the
 * first barrier only.
 */
export function chosenModel(chosen: unknown): unknown {
  if (typeof chosen !== 'string') return chosen;
  const { AI_SDK_DEFAULT_PROVIDER: provider } = globalThis as {
    AI_SDK_DEFAULT_PROVIDER?: Provider;
  };
  return provider?.languageModel(chosen) ?? chosen;
}

/** The provider that an app makes the SDK's default, as far as the adapter looks at it. */
interface Provider {
  languageModel(id: string): unknown;
}

function isModel(model: unknown): model is Model & object {
  return (
    typeof model === 'object' && model !== null && 'doGenerate' in model && 'doStream' in model
  );
}

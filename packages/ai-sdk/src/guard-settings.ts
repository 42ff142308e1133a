import { composeToolApproval } from './approval.ts';
import { bindTools } from './bind-tools.ts';
import { chosenModel, guardModel } from './guarded-model.ts';
import { haltModel } from './halt-model.ts';
import type { LoopSettings, PrepareStepOptions, StopCondition } from './loop-settings.ts';
import type { RunGuard } from './run-guard.ts';
import type { StreamWatch } from './watch-stream.ts';

/** What both `generateText` and `streamText` do when they are given no `stopWhen`. */
const afterOneStep: StopCondition = ({ steps }) => steps.length === 1;

/** The step that is taken instead of a halted loop's next one. A required tool call would be missed as a violation. */
const haltedStep = { model: haltModel, toolChoice: 'auto' } as const;

/** The app's settings, bound to a run: its tools act for the principal, and a refused call stops the loop. */
export function guardSettings<Settings extends LoopSettings>(
  settings: Settings,
  guard: RunGuard,
  watch: StreamWatch,
): Settings & LoopSettings {
  guard.install(settings);
  const { tools, stopWhen = afterOneStep, prepareStep, toolApproval } = settings;
  const model = guardModel(settings.model, guard);
  const isNamed = typeof settings.model === 'string';
  return {
    ...settings,
    model,
    ...(tools !== undefined && { tools: bindTools(tools, guard) }),
    ...(tools !== undefined &&
      toolApproval !== undefined && {
        toolApproval: composeToolApproval(toolApproval, tools, guard),
      }),
    stopWhen: [async () => guard.halted && !(await guard.mayContinue()), ...asArray(stopWhen)],
    prepareStep: async (options: PrepareStepOptions) => {
      guard.beginStep(options);
      if (guard.halted && !(await guard.mayContinue())) return haltedStep;
      // The app's own model, as without the guard, so that it can be compared.
      const own = options.model === model ? { ...options, model: settings.model } : options;
      const prepared = await prepareStep?.(own);
      // Asked last, right before the model's turn, and of the store: another process may have paused the task.
      if (!(await guard.grantTurn())) return haltedStep;
      // A model that is named by its id can only be guarded here, where the SDK has made it.
      const made = isNamed ? options.model : undefined;
      const next = prepared?.model === undefined ? made : chosenModel(prepared.model);
      return next === undefined ? prepared : { ...prepared, model: guardModel(next, guard) };
    },
    experimental_transform: [watch.transform, ...asArray(settings.experimental_transform ?? [])],
  };
}

/** A setting that takes one value or several. */
export function asArray<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

import { bindTools } from './bind-tools.ts';
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
  const { tools, stopWhen = afterOneStep, prepareStep, experimental_transform } = settings;
  return {
    ...settings,
    ...(tools !== undefined && { tools: bindTools(tools, guard) }),
    stopWhen: [() => guard.halted, ...asArray(stopWhen)],
    prepareStep: async (options: PrepareStepOptions) => {
      guard.beginStep(options);
      if (guard.halted) return haltedStep;
      const prepared = await prepareStep?.(options);
      // Asked last, right before the model's turn, and of the store: another process may have paused the task.
      return (await guard.mayContinue()) ? prepared : haltedStep;
    },
    // The calls that run again are known to the store by id and input, and the SDK has not signed their approvals.
    ...(guard.run.resumableCalls.size > 0 && { experimental_toolApprovalSecret: undefined }),
    experimental_transform: [watch.transform, ...asArray(experimental_transform ?? [])],
  };
}

/** A setting that takes one value or several. */
export function asArray<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

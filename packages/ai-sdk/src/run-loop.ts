import type { GuardedAgent } from './agent.ts';
import type { LoopStart } from './continue-run.ts';
import { guardAgent } from './guard-agent.ts';
import { asArray, guardSettings } from './guard-settings.ts';
import { isPromiseLike, type LoopFunction } from './loop-function.ts';
import type { LoopSettings, Step } from './loop-settings.ts';
import { conclude, type TaskOutcome } from './outcome.ts';
import { RunGuard } from './run-guard.ts';
import { SubAgents } from './sub-agents.ts';
import { type StreamWatch, watchStream } from './watch-stream.ts';

/** A started streaming run. */
export interface StreamRun<Result> {
  /** The SDK's result: return it as a response, or read it. */
  readonly stream: Result;
  /**
   * Settles when the stream has been read to its end, was cancelled, or failed. It waits for a reader, so a server
   * whose client may go away calls `stream.consumeStream()` or passes an `abortSignal`.
   */
  readonly outcome: Promise<TaskOutcome<Result>>;
}

/** Runs `generateText` or `streamText` under a run. What it returns tells which of the two it is. */
export function runFunction(
  start: LoopStart,
  loop: LoopFunction,
  settings: LoopSettings,
): Promise<TaskOutcome<unknown>> | StreamRun<unknown> {
  const guard = guardOf(start);
  const watch = watchStream(guard);
  const returned = loop(guardSettings(settings, guard, watch));
  return isPromiseLike(returned)
    ? generatedOutcome(guard, returned)
    : { stream: returned, outcome: streamedOutcome(guard, watch, returned) };
}

/** Runs an agent's `generate` under a run. */
export async function generateWithAgent(
  start: LoopStart,
  agent: GuardedAgent,
  options: object,
): Promise<TaskOutcome<unknown>> {
  const guard = guardOf(start);
  const guarded = guardAgent(agent, guard, watchStream(guard));
  return await generatedOutcome(guard, guarded.generate(options));
}

/** Runs an agent's `stream` under a run. */
export async function streamWithAgent(
  start: LoopStart,
  agent: GuardedAgent,
  options: LoopSettings,
): Promise<StreamRun<unknown>> {
  const guard = guardOf(start);
  const watch = watchStream(guard);
  // Agents take transforms with each call only.
  const transforms = [watch.transform, ...asArray(options.experimental_transform ?? [])];
  const stream = await guardAgent(agent, guard, watch).stream({
    ...options,
    experimental_transform: transforms,
  });
  guard.assertInstalled();
  return { stream, outcome: streamedOutcome(guard, watch, stream) };
}

async function generatedOutcome(
  guard: RunGuard,
  generating: PromiseLike<unknown>,
): Promise<TaskOutcome<unknown>> {
  try {
    const result = await generating;
    guard.assertInstalled();
    return await conclude(guard, { result });
  } catch (error) {
    return await conclude(guard, { error });
  }
}

async function streamedOutcome(
  guard: RunGuard,
  watch: StreamWatch,
  stream: unknown,
): Promise<TaskOutcome<unknown>> {
  const { cut } = await watch.ended;
  try {
    // The source has ended; the SDK is done when its own promise settles. Reading it earlier would start the loop
    // without a reader.
    if (!cut) await (stream as { readonly steps: PromiseLike<readonly Step[]> }).steps;
  } catch (error) {
    return await conclude(guard, watch.failure ?? { error });
  }
  return await conclude(guard, watch.failure ?? { result: stream });
}

const agentLoops = { generate: generateWithAgent, stream: streamWithAgent };

function guardOf(start: LoopStart): RunGuard {
  return new RunGuard(start.task, start.run, new SubAgents(start, agentLoops));
}

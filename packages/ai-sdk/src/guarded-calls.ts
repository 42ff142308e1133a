import { AuthError, type LedgerEntry, type Task } from '@outlive/core';
import { type GuardedAgent, isAgent } from './agent.ts';
import { newRun } from './continue-run.ts';
import { heldStream } from './held-stream.ts';
import { isLoopFunction, isPromiseLike, notRunnable } from './loop-function.ts';
import type { TaskOutcome } from './outcome.ts';
import { generateWithAgent, runFunction, type StreamRun, streamWithAgent } from './run-loop.ts';

/**
 * `generateText`, `streamText`, an agent, or a class of agents, bound to a task; its type is unchanged. What does not
 * complete rejects, and so does whatever is awaited of its stream.
 */
export type Guard = <Target extends object>(target: Target) => Target;

type Stopped = Exclude<TaskOutcome<unknown>, { status: 'completed' }>;

/** The guarded calls of one body, and what stopped them. */
export class GuardedCalls {
  readonly #task: Task;
  readonly #ledger: LedgerEntry[] = [];
  #started = 0;
  #ended = 0;
  #stopped: Stopped | undefined;

  constructor(task: Task) {
    this.#task = task;
  }

  /** Binds what runs a loop. @throws {ConfigurationError} when it is nothing that does. */
  readonly guard: Guard = (target) => this.#bind(target) as typeof target;

  /** Whether a guarded call was made. */
  get used(): boolean {
    return this.#started > 0;
  }

  /** Whether a call has not ended: a stream that nobody has read to its end. */
  get unread(): boolean {
    return this.#ended < this.#started;
  }

  /** The first outcome after which nothing may go on. */
  get stopped(): Stopped | undefined {
    return this.#stopped;
  }

  get ledger(): readonly LedgerEntry[] {
    return this.#ledger;
  }

  #bind(target: object): object {
    if (isAgent(target)) return this.#bindAgent(target);
    if (isAgentClass(target))
      return new Proxy(target, {
        construct: (agentClass, args, newTarget) =>
          this.#bindAgent(Reflect.construct(agentClass, args, newTarget)),
      });
    if (!isLoopFunction(target)) throw notRunnable('runTask: guard', target);
    return (settings: object): unknown => {
      this.#begin();
      const returned = runFunction(newRun(this.#task), target, settings);
      return isPromiseLike(returned) ? this.#result(returned) : this.#stream(returned);
    };
  }

  #bindAgent(agent: GuardedAgent): GuardedAgent {
    const bound: GuardedAgent = {
      generate: async (options) => {
        this.#begin();
        return await this.#result(generateWithAgent(newRun(this.#task), agent, options));
      },
      stream: async (options) => {
        this.#begin();
        return this.#stream(await streamWithAgent(newRun(this.#task), agent, options));
      },
    };
    return new Proxy(agent, {
      get: (target, property) =>
        property === 'generate' || property === 'stream'
          ? bound[property]
          : Reflect.get(target, property, target),
    });
  }

  #begin(): void {
    if (this.#stopped !== undefined) throw reasonOf(this.#stopped);
    this.#started += 1;
  }

  #stream({ stream, outcome }: StreamRun<unknown>): unknown {
    const result = this.#result(outcome);
    // Told by whatever the body awaits of the stream, and by the outcome.
    result.catch(() => undefined);
    return heldStream(stream as object, result);
  }

  async #result(ending: Promise<TaskOutcome<unknown>>): Promise<unknown> {
    const outcome = await ending.finally(() => {
      this.#ended += 1;
    });
    this.#ledger.push(...outcome.ledger);
    if (outcome.status === 'completed') return outcome.result;
    const reason = reasonOf(outcome);
    // Another failure is an error like any other, and the body may deal with it.
    if (outcome.status !== 'failed' || AuthError.is(reason)) this.#stopped ??= outcome;
    throw reason;
  }
}

function reasonOf(outcome: Stopped): unknown {
  switch (outcome.status) {
    case 'paused':
      return new AuthError(outcome.pause.reason.code, { ref: outcome.pause.id });
    case 'failed':
      return outcome.error;
    case 'cancelled':
    case 'expired':
      return new AuthError('task_ended', { reason: outcome.status });
  }
}

function isAgentClass(target: object): target is new (...args: unknown[]) => GuardedAgent {
  return typeof target === 'function' && 'prototype' in target && isAgent(target.prototype);
}

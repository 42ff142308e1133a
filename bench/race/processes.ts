import { startAskedChild } from '../asked-child.ts';
import type { Ask, CycleResult } from './messages.ts';

/** A process of the race, as the one that runs it sees it. */
export interface RaceProcess extends AsyncDisposable {
  /** @throws {Error} when the process could not do it, or ended. */
  do(ask: Exclude<Ask, { type: 'cycle' }>): Promise<void>;
  /** Makes the calls of one cycle. @throws {Error} when the process ended. */
  cycle(name: string, calls: number): Promise<CycleResult>;
}

/** Starts `count` processes, and answers when all of them are ready. */
export function startProcesses(count: number): Promise<RaceProcess[]> {
  return Promise.all(Array.from({ length: count }, startProcess));
}

async function startProcess(): Promise<RaceProcess> {
  const child = await startAskedChild<Ask>(new URL('./worker.ts', import.meta.url));
  return {
    async do(ask) {
      await child.ask(ask);
    },
    cycle: async (name, calls) => (await child.ask({ type: 'cycle', name, calls })) as CycleResult,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Ask, CycleResult, Reply } from './messages.ts';

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
  const child = fork(new URL('./worker.ts', import.meta.url), [], { execArgv: [] });
  const exited = once(child, 'exit');
  const ready = once(child, 'message');
  await Promise.race([ready, exited.then(() => Promise.reject(new Error('ended at its start')))]);
  const asked = askOver(child);
  return {
    async do(ask) {
      await asked(ask);
    },
    cycle: async (name, calls) => (await asked({ type: 'cycle', name, calls })) as CycleResult,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function askOver(child: ChildProcess): (ask: Ask) => Promise<unknown> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let number = 0;
  child.on('message', (reply: Reply) => {
    const one = waiting.get(reply.number);
    waiting.delete(reply.number);
    if (reply.ok) one?.resolve(reply.result);
    else one?.reject(new Error(`a process of the race: ${reply.error}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values())
      reject(new Error(`a process of the race ended with code ${code}`));
  });
  return (ask) => {
    number += 1;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(number, answer);
    child.send({ ...ask, number });
    return answer.promise;
  };
}

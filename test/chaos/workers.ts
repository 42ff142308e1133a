import { type ForkedProcess, forkProcess } from '../multi-process/fork-process.ts';
import type {
  ChaosCommands,
  ChaosEvent,
  ChaosFigures,
  ChaosReport,
  ChaosSetup,
} from './chaos-setup.ts';

/** A write to a grant, and whose it was. */
export interface WorkerWrite {
  readonly worker: number;
  readonly status: string;
  readonly at: number;
}

/** When a worker was killed, or stopped. */
export interface Trouble {
  readonly kind: 'killed' | 'stopped';
  readonly at: number;
}

/** The processes of a run, those that are gone included. */
export interface Workers {
  /** How many have been started. */
  readonly started: number;
  /** What happened to each worker. */
  readonly troubles: ReadonlyMap<number, readonly Trouble[]>;
  /** The worker of each process that the audit log names. */
  readonly ofProcess: ReadonlyMap<string, number>;
  /** All writes to grants, by the key of the grant. */
  readonly writes: ReadonlyMap<string, readonly WorkerWrite[]>;
  readonly figures: ChaosFigures;
  /** Kills one that works, and starts another. Answers whether there was one to spare. */
  kill(): boolean;
  /** Stops one that works, for so long. Answers whether there was one to spare. */
  stall(forMs: number): boolean;
  /** Lets everybody go on, end in an orderly way, and be gone. */
  end(): Promise<void>;
}

interface Worker {
  readonly process: ForkedProcess<ChaosCommands, ChaosEvent>;
  frozen: NodeJS.Timeout | undefined;
}

const script = new URL('./chaos-process.ts', import.meta.url);

/**
 * Starts `count` workers and some to spare, and one in the place of each that is killed: `count` of them work at any
 * time. Resolves when all of them do.
 */
export async function startWorkers(
  count: number,
  spares: number,
  setup: ChaosSetup,
  random: () => number,
): Promise<Workers> {
  const alive = new Map<number, Worker>();
  const starting = new Set<Promise<void>>();
  const troubles = new Map<number, Trouble[]>();
  const ofProcess = new Map<string, number>();
  const writes = new Map<string, WorkerWrite[]>();
  const figures = new Map<number, ChaosFigures>();
  const ending: Promise<void>[] = [];
  let started = 0;

  function hear(number: number, report: ChaosReport): void {
    if (report.kind === 'process') ofProcess.set(report.process, number);
    if (report.kind === 'figures') figures.set(number, report);
    if (report.kind !== 'write') return;
    const { key, status, at } = report;
    const known = writes.get(key) ?? [];
    writes.set(key, known);
    known.push({ worker: number, status, at });
  }

  function start(): Promise<void> {
    started += 1;
    const number = started;
    const work = async (): Promise<void> => {
      const process = await forkProcess<ChaosCommands, ChaosEvent>(
        script,
        { ...setup, seed: setup.seed + number },
        // A worker reports nothing else.
        (report) => hear(number, report as ChaosReport),
      );
      await process.event('working');
      alive.set(number, { process, frozen: undefined });
    };
    const working = work().finally(() => starting.delete(working));
    starting.add(working);
    return working;
  }

  function pick(): [number, Worker] | undefined {
    const candidates = [...alive].filter(([, { frozen }]) => frozen === undefined);
    if (candidates.length <= count) return undefined;
    return candidates[Math.floor(random() * candidates.length)];
  }

  function note(number: number, kind: Trouble['kind']): void {
    troubles.set(number, [...(troubles.get(number) ?? []), { kind, at: Date.now() }]);
  }

  await Promise.all(Array.from({ length: count + spares }, start));

  return {
    get started() {
      return started;
    },
    troubles,
    ofProcess,
    writes,
    get figures() {
      return sum([...figures.values()]);
    },
    kill() {
      const found = pick();
      if (found === undefined) return false;
      const [number, worker] = found;
      alive.delete(number);
      // Noted when it is over: a worker may still claim, and present, while the signal is on its way.
      ending.push(worker.process.kill().then(() => note(number, 'killed')));
      void start();
      return true;
    },
    stall(forMs) {
      const found = pick();
      if (found === undefined) return false;
      const [number, worker] = found;
      worker.process.freeze();
      note(number, 'stopped');
      worker.frozen = setTimeout(() => {
        worker.frozen = undefined;
        worker.process.wake();
      }, forMs);
      return true;
    },
    async end() {
      await Promise.all(starting);
      for (const { frozen, process } of alive.values()) {
        clearTimeout(frozen);
        process.wake();
      }
      await Promise.all([...alive.values()].map(({ process }) => process.call('stop')));
      await Promise.all([...ending, ...[...alive.values()].map(({ process }) => process.kill())]);
    },
  };
}

function sum(all: readonly ChaosFigures[]): ChaosFigures {
  const refused: Record<string, number> = {};
  for (const each of all)
    for (const [code, times] of Object.entries(each.refused))
      refused[code] = (refused[code] ?? 0) + times;
  const total = (of: (figures: ChaosFigures) => number): number =>
    all.reduce((before, each) => before + of(each), 0);
  return { served: total(({ served }) => served), expired: total((each) => each.expired), refused };
}

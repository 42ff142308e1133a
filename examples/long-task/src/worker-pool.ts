import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Queue } from './job.ts';
import type { Assignment, NaiveAssignment, WorkerMessage } from './messages.ts';

/** One call of a model, and the process that made it, as the operating system names it. */
export interface ModelCall {
  readonly pid: number;
  /** Epoch ms. */
  readonly at: number;
}

/** How a worker ended. */
export interface WorkerEnd {
  readonly queue: Queue;
  readonly pid: number;
  /** What the agent loop ended with. */
  readonly status: string;
  /** The model's last word. */
  readonly said: string | undefined;
}

/** Worker processes, and what their models report. */
export interface WorkerPool extends Disposable {
  /** Every call of a model so far, in any worker. */
  readonly modelCalls: readonly ModelCall[];
  /** The processes started so far. */
  readonly pids: ReadonlyMap<Queue, number>;
  /**
   * Forks a worker; what it prints goes to a file of its own. Resolves when it has ended.
   *
   * @throws {Error} when it fails.
   */
  run(
    script: 'worker.ts' | 'naive-worker.ts',
    assignment: Assignment | NaiveAssignment,
  ): Promise<WorkerEnd>;
}

/** Starts without workers; disposing it ends those that still run. `logPath` names the file for a worker's output. */
export function createWorkerPool(logPath: (pid: number) => string): WorkerPool {
  const modelCalls: ModelCall[] = [];
  const pids = new Map<Queue, number>();
  const running = new Set<ChildProcess>();

  return {
    modelCalls,
    pids,
    async run(script, assignment) {
      const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        // Keys are bytes, and plain JSON would lose them.
        serialization: 'advanced',
      });
      running.add(child);
      const pid = child.pid ?? 0;
      const { queue } = assignment;
      pids.set(queue, pid);

      let end: WorkerEnd | undefined;
      child.on('message', (message: WorkerMessage) => {
        if (message.type === 'model-called') modelCalls.push({ pid, at: message.at });
        else end = { queue, pid, status: message.status, said: message.said };
      });
      const exited = once(child, 'exit');
      const logs = [child.stdout, child.stderr].flatMap((output) =>
        output ? pipeline(output, createWriteStream(logPath(pid), { flags: 'a' })) : [],
      );
      child.send(assignment);

      const [code] = await exited;
      running.delete(child);
      await Promise.all(logs);
      if (code === 0 && end !== undefined) return end;
      throw new Error(`the ${queue} worker failed (exit status ${code}); see ${logPath(pid)}`);
    },
    [Symbol.dispose]() {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}

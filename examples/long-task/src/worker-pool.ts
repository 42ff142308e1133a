import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
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
  /** Forks a process that waits for its assignment; what it prints goes to a file of its own. */
  fork(script: 'worker.ts' | 'naive-worker.ts'): Worker;
}

/** One worker process. */
export interface Worker {
  readonly pid: number;
  /**
   * Sets it to work. Resolves when the agent loop has ended; the process is about to.
   *
   * @throws {Error} when it fails.
   */
  work(assignment: Assignment | NaiveAssignment): Promise<WorkerEnd>;
  /** Resolves when the process has ended well. */
  readonly gone: Promise<void>;
}

/** Starts without workers; disposing it ends those that still run. `logPath` names the file for a worker's output. */
export function createWorkerPool(logPath: (pid: number) => string): WorkerPool {
  const modelCalls: ModelCall[] = [];
  const running = new Set<ChildProcess>();

  return {
    modelCalls,
    fork(script) {
      const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        // Keys are bytes, and plain JSON would lose them.
        serialization: 'advanced',
      });
      running.add(child);
      const pid = child.pid ?? 0;
      const ended = Promise.withResolvers<Pick<WorkerEnd, 'status' | 'said'>>();
      child.on('message', (message: WorkerMessage) => {
        if (message.type === 'model-called') modelCalls.push({ pid, at: message.at });
        else ended.resolve({ status: message.status, said: message.said });
      });
      const gone = ending(child, logPath(pid)).finally(() => running.delete(child));
      const failed = gone.then(() => {
        throw new Error(`worker ${pid} ended without a report`);
      });
      // Whoever waits for the worker hears of it; nobody waits for those that are ended with the pool.
      failed.catch(() => undefined);
      return {
        pid,
        gone,
        async work(assignment) {
          child.send(assignment);
          const end = await Promise.race([ended.promise, failed]);
          return { queue: assignment.queue, pid, ...end };
        },
      };
    },
    [Symbol.dispose]() {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}

async function ending(child: ChildProcess, logPath: string): Promise<void> {
  const exited = once(child, 'exit');
  const logs = [child.stdout, child.stderr].flatMap((output) =>
    output ? pipeline(output, createWriteStream(logPath, { flags: 'a' })) : [],
  );
  const [[code]] = await Promise.all([exited, ...logs]);
  if (code === 0) return;
  throw new Error(`worker ${child.pid} failed with exit status ${code}`, {
    cause: await readFile(logPath, 'utf8'),
  });
}

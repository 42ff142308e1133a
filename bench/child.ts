import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A process that serves a benchmark, so that its work does not count as the benchmark's. */
export interface Child<Ready> extends AsyncDisposable {
  /** What it said when it was ready. */
  readonly ready: Ready;
}

/**
 * Starts `script` in a process of its own and waits until it says that it is ready.
 *
 * @throws {Error} when it ends before that; what it printed tells why.
 */
export async function startChild<Ready>(
  script: URL,
  args: readonly string[] = [],
): Promise<Child<Ready>> {
  const child = fork(script, args, { execArgv: [] });
  const exited = once(child, 'exit');
  const [ready] = await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => {
      throw new Error(`${script.pathname}: ended with code ${code} before it was ready`);
    }),
  ]);
  return {
    ready,
    async [Symbol.asyncDispose]() {
      child.kill();
      await exited;
    },
  };
}

/** Says to the benchmark that this process is ready, and ends when the benchmark does. */
export function childIsReady(ready: object): void {
  process.on('disconnect', () => process.exit());
  process.send?.(ready);
}

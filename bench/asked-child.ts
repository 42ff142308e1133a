import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** A process that a benchmark asks to do things. */
export interface AskedChild<Ask> extends AsyncDisposable {
  /** What the process answers. @throws {Error} when it could not do it, or ended. */
  ask(ask: Ask): Promise<unknown>;
}

type Reply =
  | { readonly number: number; readonly ok: true; readonly result: unknown }
  | { readonly number: number; readonly ok: false; readonly error: string };

/** Starts `script`, which calls {@link answerAsks}, in a process of its own. */
export async function startAskedChild<Ask extends object>(
  script: URL,
  args: readonly string[] = [],
): Promise<AskedChild<Ask>> {
  const child = fork(script, args, { execArgv: [] });
  const exited = once(child, 'exit');
  const ended = exited.then(([code]) => {
    throw new Error(`${script.pathname}: ended with code ${code} before it was ready`);
  });
  await Promise.race([once(child, 'message'), ended]);
  // From here on, its end is told to whoever asks.
  ended.catch(() => undefined);
  return {
    ask: asking(child),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function asking<Ask extends object>(child: ChildProcess): (ask: Ask) => Promise<unknown> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let number = 0;
  child.on('message', (reply: Reply) => {
    const one = waiting.get(reply.number);
    waiting.delete(reply.number);
    if (reply.ok) one?.resolve(reply.result);
    else one?.reject(new Error(`a process of the benchmark: ${reply.error}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values())
      reject(new Error(`a process of the benchmark ended with code ${code}`));
  });
  return (ask) => {
    number += 1;
    const answer = Promise.withResolvers<unknown>();
    waiting.set(number, answer);
    child.send({ ask, number });
    return answer.promise;
  };
}

/** The child's side: answers what it is asked, several asks at a time, and ends when the benchmark does. */
export function answerAsks<Ask>(answer: (ask: Ask) => Promise<unknown>): void {
  const send = (message: Reply | 'ready'): void => {
    process.send?.(message);
  };
  process.on('message', async ({ ask, number }: { ask: Ask; number: number }) => {
    try {
      send({ number, ok: true, result: await answer(ask) });
    } catch (error) {
      const told = error instanceof Error ? error.stack : error;
      send({ number, ok: false, error: String(told) });
    }
  });
  process.on('disconnect', () => process.exit());
  send('ready');
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** A process of its own that waits, ready, for a message to begin. Killed when the test is over. */
export async function startWaitingProcess(
  script: URL,
  args: readonly string[],
): Promise<ChildProcess> {
  const child = fork(script, [...args], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await nextMessage(child);
  return child;
}

/** The next thing the process says; rejects if it ends instead. */
export async function nextMessage(child: ChildProcess): Promise<unknown> {
  const listening = new AbortController();
  const { signal } = listening;
  try {
    const [message] = await Promise.race([
      once(child, 'message', { signal }),
      // Not `exit`, which can overtake a message that is still in the pipe.
      once(child, 'disconnect', { signal }).then(() => {
        throw new Error('the process ended before it answered');
      }),
    ]);
    return message;
  } finally {
    // The listener of the other event has nothing to wait for any more.
    listening.abort();
  }
}

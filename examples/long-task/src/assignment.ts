import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { TestLanguageModel } from '@outlive/testing';
import type { WorkerMessage } from './messages.ts';

/**
 * The one message a worker is started with.
 *
 * A worker whose coordinator is gone ends at once: nobody would hear what it does.
 */
export async function receiveAssignment<T>(): Promise<T> {
  process.once('disconnect', () => process.exit(1));
  const [assignment] = await once(process, 'message');
  return assignment as T;
}

/** Tells the coordinator. Resolves when it is sent. */
export function report(message: WorkerMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error) => (error ? reject(error) : resolve()));
  });
}

/** Ends the worker in good order. */
export function leave(): void {
  process.removeAllListeners('disconnect');
  process.disconnect();
}

/** Reports a call of the model; the time is taken now, however long the message takes. */
export function reportModelCall(): void {
  report({ type: 'model-called', at: Date.now() }).catch((error: unknown) => {
    // A call that nobody counted would falsify a figure.
    console.error(error);
    process.exit(1);
  });
}

/** Keeps what the model was told, to be searched for tokens. */
export async function dumpPrompts(path: string, model: TestLanguageModel): Promise<void> {
  await writeFile(path, JSON.stringify(model.prompts));
}

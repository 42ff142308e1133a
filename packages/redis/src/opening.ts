import { isPassing, replyCode } from './redis-error.ts';

/** What both libraries' clients have for their opening. */
interface Opened {
  connect(): Promise<unknown>;
  on(event: string, listener: (...details: unknown[]) => void): unknown;
}

/** The opening of a client. */
export interface Opening {
  readonly ready: Promise<void>;
  readonly isDone: boolean;
  readonly lastError: unknown;
}

/**
 * Connects `client`. The libraries report why a connection could not be opened as an event (and without a listener they
 * end the process or print it); some of them try on for ever, also with a password that the server refused.
 */
export function openingOf(client: Opened): Opening {
  let lastError: unknown;
  let isDone = false;
  const ready = new Promise<void>((resolve, reject) => {
    client.on('error', (error) => {
      lastError = error;
      if (replyCode(error) !== undefined && !isPassing(error)) reject(error);
    });
    // The cluster client of ioredis forgets about `connect` when the cluster is not in a good state.
    client.on('end', () =>
      reject(lastError ?? new Error('the connection ended before it was open')),
    );
    client.connect().then(
      () => {
        isDone = true;
        resolve();
      },
      (error: unknown) => reject(lastError ?? error),
    );
  });
  // Whoever needs the connection waits for `ready`; nobody does if the store is closed at once.
  ready.catch(() => undefined);
  return {
    ready,
    get isDone() {
      return isDone;
    },
    get lastError() {
      return lastError;
    },
  };
}

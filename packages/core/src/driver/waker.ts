/** One watcher of a store, between the driver that learns of changes and whoever wants to hear of them. */
export interface Waker extends Disposable {
  /** Something changed. */
  readonly deliver: () => void;
}

/**
 * Calls `wake` soon after `deliver`, once for all that came meanwhile, and not any more once disposed of.
 *
 * In a microtask: what a watcher throws must not look like the failure of the write, or of the connection, that woke it.
 */
export function createWaker(wake: () => void): Waker {
  let isWatching = true;
  let isWaking = false;
  return {
    deliver() {
      if (isWaking) return;
      isWaking = true;
      queueMicrotask(() => {
        isWaking = false;
        if (isWatching) wake();
      });
    },
    [Symbol.dispose]() {
      isWatching = false;
    },
  };
}

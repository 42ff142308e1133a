/** Whoever waits until what is in a queue now is dealt with. */
export interface QueueWaiters {
  /** Resolves after the next `length` things, or when everybody is let go. */
  wait(length: number): Promise<void>;
  /** The first `things` of the queue are dealt with. */
  countDown(things: number): void;
  /** Lets everybody go, though their things are still there. */
  release(): void;
}

/** Starts with nobody waiting. */
export function createQueueWaiters(): QueueWaiters {
  const waiters = new Set<{ left: number; readonly resolve: () => void }>();
  return {
    wait: (length) =>
      new Promise((resolve) => {
        waiters.add({ left: length, resolve });
      }),
    countDown(things) {
      for (const waiter of waiters) {
        waiter.left -= things;
        if (waiter.left > 0) continue;
        waiters.delete(waiter);
        waiter.resolve();
      }
    },
    release() {
      for (const { resolve } of waiters) resolve();
      waiters.clear();
    },
  };
}

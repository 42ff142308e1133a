/** Whoever waits until what is in a queue now is dealt with. */
export interface QueueWaiters {
  /** Resolves after the next `length` things, or when everybody is let go. */
  wait(length: number): Promise<void>;
  /** One thing of the queue is dealt with. */
  countDown(): void;
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
    countDown() {
      for (const waiter of waiters) {
        waiter.left -= 1;
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

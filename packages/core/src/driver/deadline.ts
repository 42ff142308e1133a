/** The time that one operation has. */
export interface Deadline {
  readonly totalMs: number;
  leftMs(): number;
  /** `promise`, or the error that `late` makes when the time is up. */
  limit<T>(promise: Promise<T>, late: () => Error): Promise<T>;
}

/**
 * Counts on the monotonic clock.
 *
 * @param startedAt the reading of `performance.now()` to count from: now, unless the operation has waited already.
 */
export function createDeadline(totalMs: number, startedAt: number = performance.now()): Deadline {
  const until = startedAt + totalMs;
  const leftMs = (): number => until - performance.now();
  return {
    totalMs,
    leftMs,
    limit: (promise, late) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(late()), Math.max(0, leftMs()));
        void promise.then(resolve, reject).finally(() => clearTimeout(timer));
      }),
  };
}

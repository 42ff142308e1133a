/** The time that one operation has. */
export interface Deadline {
  readonly totalMs: number;
  leftMs(): number;
  /** `promise`, or the error that `late` makes when the time is up. */
  limit<T>(promise: Promise<T>, late: () => Error): Promise<T>;
}

/** Begins to count now, on the monotonic clock. */
export function createDeadline(totalMs: number): Deadline {
  const until = performance.now() + totalMs;
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

/**
 * Where the runtime takes time from. Tests inject one they control.
 *
 * Two readings exist because they answer different questions: `now()` is a date that is stored and shown,
 * `monotonicMs()` measures how long this process has waited and never jumps. No decision compares one
 * process's clock with another's.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /**
   * Runs `callback` once after `delayMs`; the returned function cancels it. The timer keeps a process alive only
   * where somebody `awaits` it: a process that ended then would lose what it holds.
   */
  schedule(callback: () => void, delayMs: number, awaits?: boolean): () => void;
}

/** The platform's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(callback, delayMs, awaits = false) {
    const timer: unknown = setTimeout(callback, delayMs);
    // Node returns an object that can be un-referenced; browsers and edge runtimes return a number.
    if (!awaits && typeof timer === 'object' && timer !== null && 'unref' in timer)
      (timer.unref as () => void)();
    return () => clearTimeout(timer as number);
  },
};

/**
 * What `work` answers if it does so within `limitMs` on `clock`, else what `late` says. The work is not stopped after
 * that, only not waited for.
 */
export async function inTime<T>(
  clock: Clock,
  limitMs: number,
  work: () => T | Promise<T>,
  late: () => T,
): Promise<T> {
  let cancel = (): void => undefined;
  const limit = new Promise<void>((resolve) => {
    cancel = clock.schedule(resolve, limitMs, true);
  });
  try {
    return await Promise.race([work(), limit.then(late)]);
  } finally {
    cancel();
  }
}

/**
 * Waits `delayMs` on `clock`, and keeps the process alive meanwhile.
 *
 * @throws the signal's reason when `signal` aborts first.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const done = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    const cancel = clock.schedule(done, delayMs, true);
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

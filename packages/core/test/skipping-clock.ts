import type { Clock } from '../src/clock.ts';

/** The platform's clock, plus time that a test lets pass at once: real I/O works, and nobody waits for lifetimes. */
export interface SkippingClock extends Clock {
  /** Lets `ms` pass now; timers that fall due run in the next turns of the event loop. */
  skip(ms: number): void;
}

interface Timer {
  readonly dueAtMs: number;
  readonly run: () => void;
  handle?: NodeJS.Timeout;
}

export function createSkippingClock(): SkippingClock {
  const timers = new Set<Timer>();
  let skippedMs = 0;
  const monotonicMs = (): number => performance.now() + skippedMs;

  function arm(timer: Timer): void {
    clearTimeout(timer.handle);
    timer.handle = setTimeout(timer.run, Math.max(0, timer.dueAtMs - monotonicMs()));
    timer.handle.unref();
  }

  return {
    now: () => Date.now() + skippedMs,
    monotonicMs,
    schedule(callback, delayMs) {
      const timer: Timer = {
        dueAtMs: monotonicMs() + delayMs,
        run: () => {
          timers.delete(timer);
          callback();
        },
      };
      timers.add(timer);
      arm(timer);
      return () => {
        timers.delete(timer);
        clearTimeout(timer.handle);
      };
    },
    skip(ms) {
      skippedMs += ms;
      for (const timer of timers) arm(timer);
    },
  };
}

import type { Clock } from '@outlive/core';

// Captured now, so that a test which replaces the global timers can't stop the fake clock from settling.
const { setImmediate: nextTurn } = globalThis;

/** A `Clock` that moves only when told to. */
export interface FakeClock extends Clock {
  /** How many callbacks are waiting for their time. */
  readonly pending: number;
  /**
   * Lets `ms` pass: runs the callbacks that fall due in their order, each at its own time, and lets promises settle
   * before and after each. It does not wait for I/O.
   *
   * @throws what a callback throws; the time stays where that callback was due.
   */
  advance(ms: number): Promise<void>;
  /** Moves the wall clock alone, back too, as a time server or a person might. No callback runs earlier or later. */
  jump(ms: number): void;
}

interface Timer {
  readonly callback: () => void;
  readonly dueAt: number;
}

/** Makes a clock that shows `startMs` (epoch ms; default 2026-01-01T00:00:00Z) until it is advanced. */
export function createFakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  if (!Number.isFinite(startMs)) {
    throw new TypeError(`fake clock: startMs must be a finite number, not ${startMs}`);
  }
  const timers = new Set<Timer>();
  let elapsedMs = 0;
  let wallOffsetMs = startMs;

  function nextDue(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    // A set keeps insertion order, so of two timers due together the one scheduled first runs first.
    for (const timer of timers) {
      if (timer.dueAt <= untilMs && (!next || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }

  return {
    now: () => wallOffsetMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    schedule(callback, delayMs) {
      const timer = { callback, dueAt: elapsedMs + Math.max(0, delayMs) };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`fake clock: advance needs 0 ms or more, not ${ms}`);
      const untilMs = elapsedMs + ms;
      await settle();
      for (let timer = nextDue(untilMs); timer; timer = nextDue(untilMs)) {
        timers.delete(timer);
        elapsedMs = Math.max(elapsedMs, timer.dueAt);
        timer.callback();
        await settle();
      }
      elapsedMs = Math.max(elapsedMs, untilMs);
      await settle();
    },
    jump(ms) {
      if (!Number.isFinite(ms)) throw new RangeError(`fake clock: jump needs a number, not ${ms}`);
      wallOffsetMs += ms;
    },
  };
}

/** One turn of the event loop: every promise that can settle without I/O has settled after it. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    nextTurn(resolve);
  });
}

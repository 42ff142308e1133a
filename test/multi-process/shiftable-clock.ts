import { type Clock, systemClock } from '@outlive/core';

/** The system's clock with a wall clock that can be wrong, and can jump. The monotonic one never does. */
export interface ShiftableClock extends Clock {
  aheadMs: number;
}

export function shiftableClock(aheadMs: number): ShiftableClock {
  const clock: ShiftableClock = {
    ...systemClock,
    aheadMs,
    now: () => systemClock.now() + clock.aheadMs,
  };
  return clock;
}

const { setImmediate } = globalThis as {
  readonly setImmediate?: (callback: () => void) => unknown;
};

/** Calls back in the next turn of the event loop, when what arrived in this one is dealt with. Where there is none, a timer does. */
export function inNextTurn(callback: () => void): void {
  if (setImmediate === undefined) setTimeout(callback, 0);
  else setImmediate(callback);
}

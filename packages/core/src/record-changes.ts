import { type Clock, inTime } from './clock.ts';
import type { Store } from './store.ts';

/** Waits for a record to change in another process. */
export interface RecordChanges extends Disposable {
  /**
   * Resolves when the store hints at a change, and after `ms` whether it does or not. The first call only begins
   * to watch and resolves at once: what changed before the watching is seen by reading again.
   */
  within(ms: number): Promise<void>;
}

/** Watches one record, from the first wait until it is disposed of. */
export function recordChanges(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly key: string;
}): RecordChanges {
  const { store, clock, key } = parts;
  let wake = (): void => undefined;
  let watch: Disposable | undefined;
  return {
    async within(ms) {
      if (watch === undefined && store.watch !== undefined) {
        watch = store.watch({ keys: [key] }, () => wake());
        return;
      }
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await inTime(
        clock,
        ms,
        () => changed,
        () => undefined,
      );
    },
    [Symbol.dispose]() {
      watch?.[Symbol.dispose]();
    },
  };
}

import type { Store } from '@outlive/core';
import type { AgentEvent, HoldPoint } from './agent-setup.ts';

/** A store that tells what becomes of grants, and stands still where it is asked to. */
export interface WatchedStore extends Store {
  /** The state of the grant after each write of this process, in order. */
  readonly grantWrites: readonly string[];
}

/** @param hold resolves when the process may go on from a point. */
export function watchedStore(
  store: Store,
  hold: (point: HoldPoint) => Promise<void>,
  tell: (event: AgentEvent) => void,
): WatchedStore {
  const grantWrites: string[] = [];
  return {
    ...store,
    grantWrites,
    watch(target, wake) {
      tell('waiting');
      const watching = store.watch?.(target, wake);
      return { [Symbol.dispose]: () => watching?.[Symbol.dispose]() };
    },
    async compareAndSwap(key, expectedVersion, value, index) {
      if (index.kind !== 'grant') return store.compareAndSwap(key, expectedVersion, value, index);
      const status = index.status ?? '';
      if (status === 'idle') await hold('settling');
      try {
        const swapped = await store.compareAndSwap(key, expectedVersion, value, index);
        if (swapped) grantWrites.push(status);
        if (swapped && status === 'refreshing') await hold('claimed');
        if (swapped && status === 'idle') await hold('settled');
        return swapped;
      } catch (error) {
        tell('write-failed');
        throw error;
      }
    },
  };
}

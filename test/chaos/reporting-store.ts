import type { Store } from '@outlive/core';
import type { GrantWrite } from './chaos-setup.ts';

/** A store that says what is written to grants. A write that fails may have landed. */
export function reportingStore(inner: Store, report: (write: GrantWrite) => void): Store {
  return {
    ...inner,
    async compareAndSwap(key, expectedVersion, value, index) {
      const tell = (): void => {
        if (index.kind === 'grant') report({ key, status: index.status ?? '', at: Date.now() });
      };
      try {
        const swapped = await inner.compareAndSwap(key, expectedVersion, value, index);
        if (swapped) tell();
        return swapped;
      } catch (error) {
        tell();
        throw error;
      }
    },
  };
}

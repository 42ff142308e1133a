import { type Store, StoreError } from '@outlive/core';
import { plainIndex } from './handles.ts';
import type { RegisterOperation } from './linearizability.ts';

/** One register that many read and swap, and what each of them saw. */
export interface RegisterHistory {
  readonly operations: readonly RegisterOperation[];
  /** The version that `store` answers; `undefined` when it is unavailable. */
  read(store: Store): Promise<number | undefined>;
  /** Swaps from version `expected`. `value` must be written by nobody else. */
  swap(store: Store, expected: number, value: string): Promise<'won' | 'lost' | 'unknown'>;
}

/** Begins a history; its clock counts calls and answers. */
export function createRegisterHistory(): RegisterHistory {
  const operations: RegisterOperation[] = [];
  let tick = 0;
  const now = (): number => {
    tick += 1;
    return tick;
  };
  return {
    operations,
    async read(store) {
      const invokedAt = now();
      const record = await orUnavailable(store.get('register'));
      if (record === 'unavailable') return undefined;
      const version = record?.version ?? 0;
      const value = record?.value ?? null;
      operations.push({ type: 'read', version, value, invokedAt, answeredAt: now() });
      return version;
    },
    async swap(store, expected, value) {
      const invokedAt = now();
      const answer = await orUnavailable(
        store.compareAndSwap('register', expected, value, plainIndex),
      );
      const type = answer === 'unavailable' ? 'unknown' : answer ? 'won' : 'lost';
      operations.push({ type, expected, value, invokedAt, answeredAt: now() });
      return type;
    },
  };
}

/** What `operation` answers, or that the store was unavailable; every other error is the driver's fault. */
export async function orUnavailable<T>(operation: Promise<T>): Promise<T | 'unavailable'> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'unavailable') return 'unavailable';
    throw error;
  }
}

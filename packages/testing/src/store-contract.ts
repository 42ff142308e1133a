import type { Store } from '@outlive/core';
import { closeCases } from './store-contract/close-cases.ts';
import { concurrencyCases } from './store-contract/concurrency-cases.ts';
import { createHandles } from './store-contract/handles.ts';
import { listCases } from './store-contract/list-cases.ts';
import { recordCases } from './store-contract/record-cases.ts';
import { removalCases } from './store-contract/removal-cases.ts';
import { streamCases } from './store-contract/stream-cases.ts';
import { watchCases } from './store-contract/watch-cases.ts';

/** How the contract reaches the driver under test. */
export interface StoreContractOptions {
  /** A store on new, empty data. The contract closes every store it was given. */
  readonly open: () => Promise<Store>;
  /**
   * A second, independent handle on the data of `store`, such as another process would have. Leave it out only
   * for a store that cannot have one: the cases about several handles then share the one.
   */
  readonly reopen?: ((store: Store) => Promise<Store>) | undefined;
  /** Whether the driver has `watch`. Default true; false leaves its cases out. */
  readonly watches?: boolean | undefined;
  /** How long a case waits for a watcher to wake before it fails. Default 5000 ms. */
  readonly wakeWithinMs?: number | undefined;
}

/** One rule of the contract. `run` rejects with an AssertionError if the driver breaks it. */
export interface StoreContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/**
 * Every rule a driver of `Store` must keep, as cases for any test runner.
 *
 * @example
 * for (const { name, run } of storeContract({ open: async () => memoryStore() })) it(name, run);
 */
export function storeContract(options: StoreContractOptions): readonly StoreContractCase[] {
  const cases = [
    ...recordCases,
    ...listCases,
    ...streamCases,
    ...removalCases,
    ...concurrencyCases,
    ...(options.watches === false ? [] : watchCases),
    ...closeCases,
  ];
  return cases.map(({ name, run }) => ({
    name,
    async run() {
      const handles = await createHandles(options);
      try {
        await run(handles);
      } finally {
        await handles.closeAll();
      }
    },
  }));
}

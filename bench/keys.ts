import type { KeysConfiguration } from '@outlive/core';

/** Keys of a runtime that is only measured: the same in every process of a benchmark. */
export const benchKeys: KeysConfiguration = {
  current: 'bench',
  ring: { bench: new Uint8Array(32).fill(1) },
  hash: new Uint8Array(32).fill(2),
};

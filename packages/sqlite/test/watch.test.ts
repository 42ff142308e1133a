import { join } from 'node:path';
import type { Store } from '@outlive/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sqliteStore } from '../src/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

const index = { kind: 'grant' } as const;

function twoHandles(): [Store, Store] {
  const path = join(temporaryFolder(), 'store.db');
  const handles: [Store, Store] = [sqliteStore({ path }), sqliteStore({ path })];
  onTestFinished(async () => {
    for (const handle of handles) await handle.close();
  });
  return handles;
}

/** Resolves at the first wake. */
function woken(store: Store, key: string): Promise<void> {
  return new Promise((resolve) => store.watch?.({ keys: [key] }, resolve));
}

describe('watch', () => {
  it('leaves the watchers of other keys asleep, so that they need not read for nothing', async () => {
    const [store, other] = twoHandles();
    await store.compareAndSwap('mine', 0, 'value', index);
    let wakes = 0;
    store.watch?.({ keys: ['mine'], streams: ['mine'] }, () => {
      wakes += 1;
    });
    for (let version = 0; version < 5; version += 1) {
      const wake = woken(store, 'theirs');
      await other.compareAndSwap('theirs', version, 'value', index);
      await other.append('theirs', version + 1, ['entry']);
      await wake;
    }
    expect(wakes).toBe(0);
    const wake = woken(store, 'mine');
    await other.compareAndSwap('mine', 1, 'value', index);
    await wake;
    expect(wakes).toBe(1);
  });

  it('works on a store that was not used before, also for a key written before it opened', async () => {
    const [store, other] = twoHandles();
    await other.compareAndSwap('key', 0, 'value', index);
    await woken(store, 'key');
  });

  it('is refused once the store is closed', async () => {
    const [store] = twoHandles();
    await store.close();
    expect(() => store.watch?.({ keys: ['key'] }, () => undefined)).toThrow(/is closed/);
  });
});

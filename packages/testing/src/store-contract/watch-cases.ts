import assert from 'node:assert/strict';
import type { Store, WatchTarget } from '@outlive/core';
import { type ContractRule, type Handles, mustSwap } from './handles.ts';

/** What `watch` promises. It is a hint, so a case asks only that it comes, and that it ends. */
export const watchCases: readonly ContractRule[] = [
  {
    name: 'watch wakes when another handle writes a watched key, again and again',
    async run(handles) {
      const other = await handles.another();
      using watcher = watching(handles, handles.store, { keys: ['other', 'key'] });
      for (let version = 0; version < 5; version += 1) {
        const woken = watcher.nextWake();
        await mustSwap(other, 'key', version, 'value');
        await woken;
        await handles.store.get('key');
      }
    },
  },
  {
    name: 'watch wakes when this handle writes a watched key, and on a tombstone',
    async run(handles) {
      using watcher = watching(handles, handles.store, { keys: ['key'] });
      for (const [version, value] of [[0, 'value'] as const, [1, null] as const]) {
        const woken = watcher.nextWake();
        await mustSwap(handles.store, 'key', version, value);
        await woken;
      }
    },
  },
  {
    name: 'watch wakes when a watched stream grows, through this handle and through another',
    async run(handles) {
      const writers = [handles.store, await handles.another()];
      using watcher = watching(handles, handles.store, { streams: ['log'] });
      for (const [at, writer] of writers.entries()) {
        const woken = watcher.nextWake();
        assert.equal(await writer.append('log', at + 1, ['entry']), true);
        await woken;
      }
    },
  },
  {
    name: 'a disposed watcher stays asleep while another one of the same key wakes; disposing twice is fine',
    async run(handles) {
      const other = await handles.another();
      let wakes = 0;
      const disposed = watchOf(handles.store).call(handles.store, { keys: ['key'] }, () => {
        wakes += 1;
      });
      using watcher = watching(handles, handles.store, { keys: ['key'] });
      const first = watcher.nextWake();
      await mustSwap(other, 'key', 0, 'value');
      await first;
      disposed[Symbol.dispose]();
      disposed[Symbol.dispose]();
      const before = wakes;
      for (let version = 1; version < 4; version += 1) {
        const woken = watcher.nextWake();
        await mustSwap(other, 'key', version, 'value');
        await woken;
      }
      assert.equal(wakes, before);
    },
  },
  {
    name: 'two hundred watchers of different keys are each woken by their own key',
    async run(handles) {
      const other = await handles.another();
      const watchers = Array.from({ length: 200 }, (_, at) =>
        watching(handles, handles.store, { keys: [`key ${at}`] }),
      );
      try {
        const woken = watchers.map((watcher) => watcher.nextWake());
        for (const at of watchers.keys()) await mustSwap(other, `key ${at}`, 0, 'value');
        await Promise.all(woken);
      } finally {
        for (const watcher of watchers) watcher[Symbol.dispose]();
      }
    },
  },
];

interface Watching extends Disposable {
  /** Resolves at the next wake from now; rejects if none comes in time. */
  nextWake(): Promise<void>;
}

function watching(handles: Handles, store: Store, target: WatchTarget): Watching {
  let resolveNext: (() => void) | undefined;
  const watcher = watchOf(store).call(store, target, () => resolveNext?.());
  return {
    nextWake: () =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          const waited = `no wake within ${handles.wakeWithinMs} ms of the change`;
          reject(new assert.AssertionError({ message: waited }));
        }, handles.wakeWithinMs);
        resolveNext = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
    [Symbol.dispose]: () => watcher[Symbol.dispose](),
  };
}

function watchOf(store: Store): NonNullable<Store['watch']> {
  assert.ok(store.watch, 'the store has no watch; pass `watches: false` if that is intended');
  return store.watch;
}

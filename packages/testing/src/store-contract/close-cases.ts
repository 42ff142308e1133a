import assert from 'node:assert/strict';
import { type ContractRule, listAll, mustSwap, plainIndex, readAll } from './handles.ts';

/** What `close` promises. */
export const closeCases: readonly ContractRule[] = [
  {
    name: 'close may be called twice, and every operation after it rejects as unavailable',
    async run({ store }) {
      await mustSwap(store, 'key', 0, 'value');
      await store.append('log', 1, ['entry']);
      await Promise.all([store.close(), store.close()]);
      await store.close();
      const operations: Record<string, () => Promise<unknown>> = {
        get: () => store.get('key'),
        compareAndSwap: () => store.compareAndSwap('key', 1, 'late', plainIndex),
        list: () => listAll(store, { kind: 'grant' }),
        append: () => store.append('log', 2, ['late']),
        read: () => readAll(store, 'log'),
        last: () => store.last('log'),
        forget: () => store.forget('key', 1),
        trim: () => store.trim('log', 1),
      };
      for (const [name, operation] of Object.entries(operations))
        await assert.rejects(operation, { name: 'StoreError', code: 'unavailable' }, name);
    },
  },
  {
    name: 'a store can be closed before it was used',
    async run({ store }) {
      await store.close();
      await assert.rejects(store.get('key'), { name: 'StoreError', code: 'unavailable' });
    },
  },
  {
    name: 'closing one handle keeps what it wrote and leaves the others open',
    async run({ store, another }) {
      const other = await another();
      if (other === store) return; // A store of one handle: nothing is left to look with.
      await mustSwap(other, 'key', 0, 'value');
      await other.close();
      assert.equal((await store.get('key'))?.value, 'value');
      await mustSwap(store, 'key', 1, 'next');
      assert.equal((await (await another()).get('key'))?.version, 2);
    },
  },
];

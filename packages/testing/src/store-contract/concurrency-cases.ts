import assert from 'node:assert/strict';
import type { Store } from '@outlive/core';
import { type ContractRule, mustSwap, plainIndex } from './handles.ts';
import { assertLinearizable } from './linearizability.ts';
import { createRegisterHistory } from './register-history.ts';

/** What holds when several handles write at once. */
export const concurrencyCases: readonly ContractRule[] = [
  {
    name: 'of many concurrent swaps from one version exactly one wins, round after round',
    async run({ store, another }) {
      const handles = [store, await another()];
      for (let version = 0; version < 60; version += 1) {
        const answers = await Promise.all(
          Array.from({ length: 8 }, async (_, writer) => {
            const handle = handles[writer % handles.length] ?? store;
            const value = `round ${version} writer ${writer}`;
            return (await handle.compareAndSwap('key', version, value, plainIndex)) ? [value] : [];
          }),
        );
        const record = await store.get('key');
        assert.deepEqual(answers.flat(), [record?.value], `winners of round ${version}`);
        assert.equal(record?.version, version + 1);
      }
    },
  },
  {
    name: 'increments by read and swap lose no update',
    async run({ store, another }) {
      const handles = [store, await another(), await another()];
      await mustSwap(store, 'counter', 0, '0');
      const perWriter = 40;
      await Promise.all(
        [...handles, ...handles].map(async (handle) => {
          for (let done = 0; done < perWriter; ) if (await increment(handle)) done += 1;
        }),
      );
      const record = await store.get('counter');
      assert.equal(record?.value, String(6 * perWriter));
      assert.equal(record?.version, 6 * perWriter + 1);
    },
  },
  {
    name: 'writers of different keys do not hinder each other',
    async run({ store, another }) {
      const handles = [store, await another()];
      await Promise.all(
        Array.from({ length: 60 }, (_, at) =>
          mustSwap(handles[at % handles.length] ?? store, `key ${at}`, 0, 'value'),
        ),
      );
      for (let at = 0; at < 60; at += 1) assert.equal((await store.get(`key ${at}`))?.version, 1);
    },
  },
  {
    name: 'a history of concurrent swaps and reads through several handles is linearizable',
    async run({ store, another }) {
      const handles = [store, await another(), await another()];
      const history = createRegisterHistory();
      const worker = async (handle: Store, id: number): Promise<void> => {
        for (let round = 0; round < 40; round += 1) {
          const version = await history.read(handle);
          assert.ok(version !== undefined, 'a read was unavailable');
          const answer = await history.swap(handle, version, `${id}-${round}`);
          assert.notEqual(answer, 'unknown', 'a swap was unavailable');
        }
      };
      await Promise.all([...handles, ...handles].map((handle, id) => worker(handle, id)));
      assertLinearizable(history.operations);
    },
  },
];

async function increment(store: Store): Promise<boolean> {
  const record = await store.get('counter');
  assert.ok(record);
  const next = String(Number(record.value) + 1);
  return store.compareAndSwap('counter', record.version, next, plainIndex);
}

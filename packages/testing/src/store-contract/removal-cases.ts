import assert from 'node:assert/strict';
import { type ContractRule, listKeys, mustSwap, plainIndex, readAll } from './handles.ts';

/** What `forget` and `trim` promise. */
export const removalCases: readonly ContractRule[] = [
  {
    name: 'forget removes exactly the version it names, and the key is then as if never written',
    async run({ store, another }) {
      const other = await another();
      await mustSwap(store, 'key', 0, 'one');
      await mustSwap(store, 'key', 1, 'two');
      await mustSwap(store, 'sibling', 0, 'value');
      for (const version of [0, 1, 3, -1, 1.5, Number.NaN])
        assert.equal(await store.forget('key', version), false, `version ${version}`);
      assert.equal((await other.get('key'))?.version, 2);
      assert.equal(await store.forget('key', 2), true);
      assert.equal(await store.forget('key', 2), false);
      assert.equal(await other.get('key'), undefined);
      assert.deepEqual(await listKeys(other, { kind: 'grant' }), ['sibling']);
      await mustSwap(other, 'key', 0, 'again');
      assert.deepEqual(await store.get('key'), { version: 1, value: 'again', index: plainIndex });
    },
  },
  {
    name: 'forget removes a tombstone, and what every field of the index found',
    async run({ store }) {
      await mustSwap(store, 'gone', 0, 'value');
      await mustSwap(store, 'gone', 1, null);
      assert.equal(await store.forget('gone', 2), true);
      assert.equal(await store.get('gone'), undefined);
      const index = {
        kind: 'ended-task',
        status: 's',
        subject: 'u',
        taskId: 't',
        dueAt: 5,
      } as const;
      await mustSwap(store, 'key', 0, 'value', index);
      assert.equal(await store.forget('key', 1), true);
      const { kind, status, subject, taskId } = index;
      for (const query of [{}, { status }, { subject }, { taskId }, { dueBefore: 9 }])
        assert.deepEqual(await listKeys(store, { kind, ...query }), []);
    },
  },
  {
    name: 'of a swap and a forget at once exactly one wins',
    async run({ store, another }) {
      const other = await another();
      for (let round = 0; round < 30; round += 1) {
        const key = `key ${round}`;
        await mustSwap(store, key, 0, 'one');
        const [swapped, forgotten] = await Promise.all([
          store.compareAndSwap(key, 1, 'two', plainIndex),
          other.forget(key, 1),
        ]);
        assert.notEqual(swapped, forgotten, `round ${round}`);
        assert.equal((await store.get(key))?.version, swapped ? 2 : undefined);
      }
    },
  },
  {
    name: 'trim removes the entries below a sequence, and the others keep theirs',
    async run({ store, another }) {
      const other = await another();
      for (let sequence = 1; sequence <= 10; sequence += 1)
        assert.equal(await store.append('log', sequence, [`entry ${sequence}`]), true);
      await store.append('other', 1, ['entry']);
      for (const [from, first] of [
        [0, 1],
        [1, 1],
        [4, 4],
        [2, 4],
        [10, 10],
      ] as const) {
        await store.trim('log', from);
        const entries = await readAll(other, 'log');
        assert.deepEqual(
          entries.map(({ sequence }) => sequence),
          Array.from({ length: 11 - first }, (_, at) => first + at),
          `after trim from ${from}`,
        );
      }
      assert.deepEqual(await other.last('log'), { sequence: 10, value: 'entry 10' });
      assert.equal(await other.append('log', 1, ['no']), false);
      assert.equal(await other.append('log', 11, ['entry 11']), true);
      assert.deepEqual(await readAll(store, 'log', 11), [{ sequence: 11, value: 'entry 11' }]);
      assert.equal((await readAll(store, 'other')).length, 1);
    },
  },
  {
    name: 'a stream of which nothing is left begins at 1 again',
    async run({ store }) {
      await store.trim('log', 5);
      await store.append('log', 1, ['one']);
      await store.append('log', 2, ['two']);
      await store.trim('log', 3);
      assert.equal(await store.last('log'), undefined);
      assert.deepEqual(await readAll(store, 'log'), []);
      assert.equal(await store.append('log', 3, ['no']), false);
      assert.equal(await store.append('log', 1, ['again']), true);
      assert.deepEqual(await readAll(store, 'log'), [{ sequence: 1, value: 'again' }]);
    },
  },
];

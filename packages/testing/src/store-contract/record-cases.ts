import assert from 'node:assert/strict';
import type { RecordIndex } from '@outlive/core';
import { type ContractRule, listKeys, mustSwap, oddNames, plainIndex } from './handles.ts';

const fullIndex: RecordIndex = {
  kind: 'task',
  status: 'active',
  subject: 'subject-hash',
  taskId: 'task-1',
  dueAt: 1_767_225_600_123,
};

/** What one record promises: versions, tombstones, the very bytes. */
export const recordCases: readonly ContractRule[] = [
  {
    name: 'a key that was never written has no record',
    async run({ store }) {
      assert.equal(await store.get('missing'), undefined);
    },
  },
  {
    name: 'the first write expects version 0 and makes version 1, with the value and index given',
    async run({ store }) {
      await mustSwap(store, 'key', 0, 'first', fullIndex);
      assert.deepEqual(await store.get('key'), { version: 1, value: 'first', index: fullIndex });
    },
  },
  {
    name: 'each write makes exactly the next version and replaces value and whole index',
    async run({ store }) {
      await mustSwap(store, 'key', 0, 'one', fullIndex);
      await mustSwap(store, 'key', 1, 'two', plainIndex);
      assert.deepEqual(await store.get('key'), { version: 2, value: 'two', index: plainIndex });
      for (let version = 2; version < 40; version += 1)
        await mustSwap(store, 'key', version, `value ${version}`);
      assert.equal((await store.get('key'))?.version, 40);
    },
  },
  {
    name: 'a write that expects another version answers false and changes nothing',
    async run({ store }) {
      assert.equal(await store.compareAndSwap('key', 1, 'value', plainIndex), false);
      assert.equal(await store.get('key'), undefined);
      await mustSwap(store, 'key', 0, 'kept', fullIndex);
      await mustSwap(store, 'key', 1, 'kept', fullIndex);
      for (const expected of [0, 1, 3, 100, -1, 1.5, Number.NaN])
        assert.equal(
          await store.compareAndSwap('key', expected, 'other', plainIndex),
          false,
          `expected version ${expected}`,
        );
      assert.deepEqual(await store.get('key'), { version: 2, value: 'kept', index: fullIndex });
    },
  },
  {
    name: 'a tombstone is a version: it stays readable, counts on, and 0 never matches again',
    async run({ store }) {
      await mustSwap(store, 'key', 0, 'value', fullIndex);
      await mustSwap(store, 'key', 1, null, fullIndex);
      assert.deepEqual(await store.get('key'), { version: 2, value: null, index: fullIndex });
      assert.equal(await store.compareAndSwap('key', 0, 'again', fullIndex), false);
      await mustSwap(store, 'key', 2, 'again', fullIndex);
      assert.deepEqual(await store.get('key'), { version: 3, value: 'again', index: fullIndex });
    },
  },
  {
    name: 'a tombstone may be the first version of a key',
    async run({ store }) {
      await mustSwap(store, 'key', 0, null);
      assert.deepEqual(await store.get('key'), { version: 1, value: null, index: plainIndex });
    },
  },
  {
    name: 'an empty value is a value, not a tombstone',
    async run({ store }) {
      await mustSwap(store, 'key', 0, '');
      assert.equal((await store.get('key'))?.value, '');
      assert.deepEqual(await listKeys(store, { kind: 'grant' }), ['key']);
    },
  },
  {
    name: 'odd keys are kept apart, and kept apart from streams of the same name',
    async run({ store }) {
      for (const name of oddNames) await mustSwap(store, name, 0, `record ${name}`);
      for (const name of oddNames)
        assert.equal(await store.append(name, 1, [`entry ${name}`]), true, JSON.stringify(name));
      for (const name of oddNames) {
        const record = await store.get(name);
        assert.deepEqual([record?.version, record?.value], [1, `record ${name}`]);
        assert.deepEqual(await store.last(name), { sequence: 1, value: `entry ${name}` });
      }
      assert.deepEqual(await listKeys(store, { kind: 'grant' }), [...oddNames].sort());
    },
  },
  {
    name: 'values come back exactly as given: a mebibyte, control characters, any script',
    async run({ store, another }) {
      const values = ['ab\u00e9漢👩'.repeat(150_000).slice(0, 2 ** 20), ...oddNames, ' \n\t '];
      const reader = await another();
      for (const [at, value] of values.entries()) {
        await mustSwap(store, 'key', at, value);
        assert.ok((await reader.get('key'))?.value === value, `value ${at} came back changed`);
      }
    },
  },
  {
    name: 'a string that is not well-formed Unicode is kept exactly or refused, never changed silently',
    async run({ store }) {
      const lone = 'a\ud800b';
      try {
        await store.compareAndSwap(lone, 0, lone, plainIndex);
      } catch {
        // Refusing is right; what counts is that nothing was written.
        assert.deepEqual(await listKeys(store, { kind: 'grant' }), []);
        return;
      }
      assert.equal((await store.get(lone))?.value, lone);
      assert.deepEqual(await listKeys(store, { kind: 'grant' }), [lone]);
    },
  },
  {
    name: 'what was handed in or out can be changed without changing what is stored',
    async run({ store }) {
      const index = { kind: 'grant' as const, status: 'idle' };
      await mustSwap(store, 'key', 0, 'value', index);
      index.status = 'changed';
      const record = await store.get('key');
      assert.ok(record !== undefined);
      // A frozen record refuses, a copy takes it: either way the store must not see it.
      Reflect.set(record, 'version', 9);
      Reflect.set(record.index, 'status', 'changed');
      assert.deepEqual(await store.get('key'), {
        version: 1,
        value: 'value',
        index: { kind: 'grant', status: 'idle' },
      });
    },
  },
  {
    name: 'another handle sees every acknowledged write, at once',
    async run({ store, another }) {
      const other = await another();
      for (let version = 0; version < 50; version += 1) {
        const [writer, reader] = version % 2 === 0 ? [store, other] : [other, store];
        await mustSwap(writer, 'key', version, `value ${version + 1}`);
        const seen = await reader.get('key');
        assert.deepEqual([seen?.version, seen?.value], [version + 1, `value ${version + 1}`]);
      }
    },
  },
];

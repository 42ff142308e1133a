import assert from 'node:assert/strict';
import type { RecordIndex, RecordQuery } from '@outlive/core';
import { type ContractRule, listAll, listKeys, mustSwap } from './handles.ts';

/** What the index promises. */
export const listCases: readonly ContractRule[] = [
  {
    name: 'list finds by kind, and by every combination of status, subject and task',
    async run({ store }) {
      const stored = new Map<string, RecordIndex>();
      for (const kind of ['task', 'pause'] as const)
        for (const status of [undefined, '', 'open'])
          for (const subject of [undefined, 'ada', 'Ada'])
            for (const taskId of [undefined, 't1', 't2']) {
              const index = indexOf({ kind, status, subject, taskId });
              stored.set(JSON.stringify(index), index);
            }
      for (const [key, index] of stored) await mustSwap(store, key, 0, 'value', index);
      for (const query of stored.values()) {
        const expected = [...stored].filter(([, index]) => matches(index, query));
        assert.deepEqual(
          await listKeys(store, query),
          expected.map(([key]) => key).sort(),
          JSON.stringify(query),
        );
      }
    },
  },
  {
    name: 'list answers key, version and index of each record',
    async run({ store }) {
      const index: RecordIndex = { kind: 'call', status: 'started', taskId: 't', dueAt: 5 };
      await mustSwap(store, 'key', 0, 'one', { kind: 'call' });
      await mustSwap(store, 'key', 1, 'two', index);
      assert.deepEqual(await listAll(store, { kind: 'call' }), [{ key: 'key', version: 2, index }]);
    },
  },
  {
    name: 'list follows the index of the newest version only',
    async run({ store }) {
      await mustSwap(store, 'key', 0, 'value', { kind: 'task', status: 'active', dueAt: 10 });
      await mustSwap(store, 'key', 1, 'value', { kind: 'task', status: 'paused' });
      assert.deepEqual(await listKeys(store, { kind: 'task', status: 'active' }), []);
      assert.deepEqual(await listKeys(store, { kind: 'task', dueBefore: 10 }), []);
      assert.deepEqual(await listKeys(store, { kind: 'task', status: 'paused' }), ['key']);
      await mustSwap(store, 'key', 2, 'value', { kind: 'pause' });
      assert.deepEqual(await listKeys(store, { kind: 'task' }), []);
      assert.deepEqual(await listKeys(store, { kind: 'pause' }), ['key']);
    },
  },
  {
    name: 'list leaves tombstones out, until the key is written again',
    async run({ store }) {
      const index: RecordIndex = { kind: 'task', status: 's', subject: 'u', taskId: 't', dueAt: 1 };
      const queries: RecordQuery[] = [
        { kind: 'task' },
        { kind: 'task', status: 's' },
        { kind: 'task', subject: 'u' },
        { kind: 'task', taskId: 't' },
        { kind: 'task', dueBefore: 1 },
      ];
      await mustSwap(store, 'key', 0, 'value', index);
      await mustSwap(store, 'key', 1, null, index);
      for (const query of queries) assert.deepEqual(await listKeys(store, query), []);
      await mustSwap(store, 'key', 2, 'value', index);
      for (const query of queries) assert.deepEqual(await listKeys(store, query), ['key']);
    },
  },
  {
    name: 'dueBefore includes its own instant, excludes records without dueAt, and yields the oldest first',
    async run({ store }) {
      const dueAts = [1_767_225_600_000, 0, 500, 1_767_225_600_001, 499, Number.MAX_SAFE_INTEGER];
      for (const dueAt of dueAts)
        await mustSwap(store, `due ${dueAt}`, 0, 'value', { kind: 'grant', dueAt });
      await mustSwap(store, 'never due', 0, 'value', { kind: 'grant' });
      await mustSwap(store, 'other kind', 0, 'value', { kind: 'task', dueAt: 1 });
      const due = async (dueBefore: number) =>
        (await listAll(store, { kind: 'grant', dueBefore })).map((record) => record.index.dueAt);
      assert.deepEqual(await due(-1), []);
      assert.deepEqual(await due(499), [0, 499]);
      assert.deepEqual(await due(500), [0, 499, 500]);
      assert.deepEqual(await due(1_767_225_600_000), [0, 499, 500, 1_767_225_600_000]);
      assert.deepEqual(
        await due(Number.MAX_SAFE_INTEGER),
        [...dueAts].sort((one, other) => one - other),
      );
    },
  },
  {
    name: 'dueBefore combines with the other filters',
    async run({ store }) {
      for (const [key, index] of Object.entries<RecordIndex>({
        both: { kind: 'task', status: 'a', subject: 'u', taskId: 't', dueAt: 2 },
        earlier: { kind: 'task', status: 'a', subject: 'u', taskId: 't', dueAt: 1 },
        later: { kind: 'task', status: 'a', subject: 'u', taskId: 't', dueAt: 9 },
        other: { kind: 'task', status: 'b', subject: 'v', taskId: 'w', dueAt: 1 },
      }))
        await mustSwap(store, key, 0, 'value', index);
      for (const filter of [{ status: 'a' }, { subject: 'u' }, { taskId: 't' }]) {
        const found = await listAll(store, { kind: 'task', dueBefore: 5, ...filter });
        assert.deepEqual(
          found.map((record) => record.key),
          ['earlier', 'both'],
          JSON.stringify(filter),
        );
      }
    },
  },
  {
    name: 'list yields thousands of records once each, in order, also where many are due at one instant',
    async run({ store }) {
      const count = 2500;
      // A few hundred share each instant, so that every page of a driver ends among equals.
      for (let at = 0; at < count; at += 1)
        await mustSwap(store, `key ${at}`, 0, 'value', {
          kind: 'grant',
          status: 'idle',
          dueAt: (at * 7) % 9,
        });
      for (const query of [{}, { status: 'idle' }, { dueBefore: 8 }]) {
        const found = await listAll(store, { kind: 'grant', ...query });
        assert.equal(found.length, count);
        assert.equal(new Set(found.map((record) => record.key)).size, count);
        if (!('dueBefore' in query)) continue;
        const dueAts = found.map((record) => record.index.dueAt ?? -1);
        assert.deepEqual(
          dueAts,
          [...dueAts].sort((one, other) => one - other),
        );
      }
      assert.equal((await listAll(store, { kind: 'grant', dueBefore: 0 })).length, 278);
    },
  },
  {
    name: 'records may be written and a list be left while it runs; records that stay are yielded once',
    async run({ store, another }) {
      const other = await another();
      for (let at = 0; at < 600; at += 1)
        await mustSwap(store, `key ${at}`, 0, 'value', { kind: 'grant', dueAt: at });
      const seen = new Map<string, number>();
      let at = 0;
      for await (const record of store.list({ kind: 'grant', dueBefore: 1000 })) {
        seen.set(record.key, (seen.get(record.key) ?? 0) + 1);
        if (record.key !== `key ${2 * at}`) continue;
        // Removes what was just yielded, every second record, through another handle.
        await mustSwap(other, record.key, 1, null, record.index);
        at += 1;
      }
      for (let odd = 1; odd < 600; odd += 2) assert.equal(seen.get(`key ${odd}`), 1, `key ${odd}`);
      for await (const record of store.list({ kind: 'grant' })) {
        assert.ok(record.version === 1);
        break;
      }
      assert.equal((await listKeys(store, { kind: 'grant' })).length, 300);
    },
  },
];

function indexOf(fields: {
  kind: RecordIndex['kind'];
  status: string | undefined;
  subject: string | undefined;
  taskId: string | undefined;
}): RecordIndex {
  const { kind, status, subject, taskId } = fields;
  return {
    kind,
    ...(status === undefined ? {} : { status }),
    ...(subject === undefined ? {} : { subject }),
    ...(taskId === undefined ? {} : { taskId }),
  };
}

function matches(index: RecordIndex, query: RecordIndex): boolean {
  return (['kind', 'status', 'subject', 'taskId'] as const).every(
    (field) => query[field] === undefined || index[field] === query[field],
  );
}

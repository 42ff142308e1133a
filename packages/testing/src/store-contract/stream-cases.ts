import assert from 'node:assert/strict';
import { type ContractRule, readAll } from './handles.ts';

/** What an append-only stream promises. */
export const streamCases: readonly ContractRule[] = [
  {
    name: 'an empty stream has no entries and no last one',
    async run({ store }) {
      assert.deepEqual(await readAll(store, 'missing'), []);
      assert.equal(await store.last('missing'), undefined);
    },
  },
  {
    name: 'append takes exactly the next sequence, and refuses any other without a trace',
    async run({ store }) {
      assert.equal(await store.append('log', 2, 'too early'), false);
      assert.equal(await store.append('log', 0, 'never'), false);
      assert.equal(await store.append('log', 1, 'one'), true);
      for (const sequence of [1, 0, -1, 3, 1.5, Number.NaN])
        assert.equal(await store.append('log', sequence, 'no'), false, `sequence ${sequence}`);
      assert.equal(await store.append('log', 2, 'two'), true);
      assert.deepEqual(await readAll(store, 'log'), [
        { sequence: 1, value: 'one' },
        { sequence: 2, value: 'two' },
      ]);
      assert.deepEqual(await store.last('log'), { sequence: 2, value: 'two' });
    },
  },
  {
    name: 'streams do not see each other',
    async run({ store }) {
      for (const stream of ['log', 'log:', 'log:1', 'Log'])
        assert.equal(await store.append(stream, 1, stream), true);
      assert.deepEqual(await readAll(store, 'log:'), [{ sequence: 1, value: 'log:' }]);
    },
  },
  {
    name: 'read starts where it is asked to, also in the middle of thousands and beyond the end',
    async run({ store, another }) {
      const count = 1500;
      for (let sequence = 1; sequence <= count; sequence += 1)
        assert.equal(await store.append('log', sequence, `entry ${sequence}`), true);
      const reader = await another();
      for (const from of [0, 1, 2, 700, count, count + 1]) {
        const entries = await readAll(reader, 'log', from);
        const first = Math.max(1, from);
        assert.equal(entries.length, count - first + 1, `from ${from}`);
        for (const [at, entry] of entries.entries())
          assert.deepEqual(entry, {
            sequence: first + at,
            value: `entry ${first + at}`,
          });
      }
    },
  },
  {
    name: 'a reader may stop early, and appends go on while it reads',
    async run({ store }) {
      for (let sequence = 1; sequence <= 300; sequence += 1)
        await store.append('log', sequence, 'entry');
      let read = 0;
      for await (const entry of store.read('log', 1)) {
        read += 1;
        assert.equal(entry.sequence, read);
        if (read === 150) assert.equal(await store.append('log', 301, 'meanwhile'), true);
        if (read === 290) break;
      }
      assert.deepEqual(await store.last('log'), { sequence: 301, value: 'meanwhile' });
    },
  },
  {
    name: 'concurrent appends make neither gaps nor forks: one writer wins each sequence',
    async run({ store, another }) {
      const handles = [store, await another(), await another()];
      const won = new Map<number, string>();
      const perWriter = 40;
      await Promise.all(
        handles.map(async (handle, writer) => {
          for (let mine = 0; mine < perWriter; ) {
            const next = ((await handle.last('log'))?.sequence ?? 0) + 1;
            const value = `writer ${writer} entry ${mine}`;
            if (!(await handle.append('log', next, value))) continue;
            assert.equal(won.has(next), false, `sequence ${next} was won twice`);
            won.set(next, value);
            mine += 1;
          }
        }),
      );
      const entries = await readAll(store, 'log');
      assert.equal(entries.length, handles.length * perWriter);
      for (const [at, entry] of entries.entries())
        assert.deepEqual(entry, { sequence: at + 1, value: won.get(at + 1) });
    },
  },
];

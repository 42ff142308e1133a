import assert from 'node:assert/strict';
import { type ContractRule, oddNames, readAll } from './handles.ts';

/** How many values the runtime may give to `append` at once. */
const mostValues = 256;

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
      assert.equal(await store.append('log', 2, ['too early']), false);
      assert.equal(await store.append('log', 0, ['never']), false);
      assert.equal(await store.append('log', 1, ['one']), true);
      for (const sequence of [1, 0, -1, 3, 1.5, Number.NaN])
        assert.equal(await store.append('log', sequence, ['no']), false, `sequence ${sequence}`);
      assert.equal(await store.append('log', 2, ['two']), true);
      assert.deepEqual(await readAll(store, 'log'), [
        { sequence: 1, value: 'one' },
        { sequence: 2, value: 'two' },
      ]);
      assert.deepEqual(await store.last('log'), { sequence: 2, value: 'two' });
    },
  },
  {
    name: 'append takes hundreds of values at once, in their order and exactly as given',
    async run({ store, another }) {
      const reader = await another();
      const first = [...oddNames, ' \n\t '].map((name) => `one ${name}`);
      const second = Array.from({ length: mostValues }, (_, at) => `${at} ${'x'.repeat(1000)}`);
      assert.equal(await store.append('log', 1, first), true);
      assert.equal(await store.append('log', first.length + 1, second), true);
      const values = [...first, ...second];
      const expected = values.map((value, at) => ({ sequence: at + 1, value }));
      assert.deepEqual(await readAll(reader, 'log'), expected);
      assert.deepEqual(await reader.last('log'), expected.at(-1));
      assert.equal(await store.append('one', 1, ['漢'.repeat(2 ** 19)]), true);
      assert.equal((await reader.last('one'))?.value, '漢'.repeat(2 ** 19));
    },
  },
  {
    name: 'append adds all values or none, wherever it is refused; and of no values none',
    async run({ store }) {
      const values = ['one', 'two', 'three'];
      for (const sequence of [0, -1, -2, 2, 1.5, Number.NaN])
        assert.equal(await store.append('log', sequence, values), false, `sequence ${sequence}`);
      assert.equal(await store.append('log', 1, []), false);
      assert.deepEqual(await readAll(store, 'log'), []);
      assert.equal(await store.append('log', 1, values), true);
      for (const sequence of [1, 2, 3, 5])
        assert.equal(await store.append('log', sequence, values), false, `sequence ${sequence}`);
      assert.equal(await store.append('log', 4, []), false);
      assert.deepEqual(
        await readAll(store, 'log'),
        values.map((value, at) => ({ sequence: at + 1, value })),
      );
    },
  },
  {
    name: 'streams do not see each other',
    async run({ store }) {
      for (const stream of ['log', 'log:', 'log:1', 'Log'])
        assert.equal(await store.append(stream, 1, [stream]), true);
      assert.deepEqual(await readAll(store, 'log:'), [{ sequence: 1, value: 'log:' }]);
    },
  },
  {
    name: 'read starts where it is asked to, also in the middle of thousands and beyond the end',
    async run({ store, another }) {
      const count = 1500;
      for (let sequence = 1; sequence <= count; sequence += 1)
        assert.equal(await store.append('log', sequence, [`entry ${sequence}`]), true);
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
        await store.append('log', sequence, ['entry']);
      let read = 0;
      for await (const entry of store.read('log', 1)) {
        read += 1;
        assert.equal(entry.sequence, read);
        if (read === 150) assert.equal(await store.append('log', 301, ['meanwhile']), true);
        if (read === 290) break;
      }
      assert.deepEqual(await store.last('log'), { sequence: 301, value: 'meanwhile' });
    },
  },
  {
    name: 'concurrent appends make neither gaps nor forks: one writer wins each sequence, with all its values',
    async run({ store, another }) {
      const handles = [store, await another(), await another()];
      const won = new Map<number, string>();
      const perWriter = 40;
      let total = 0;
      await Promise.all(
        handles.map(async (handle, writer) => {
          for (let mine = 0; mine < perWriter; ) {
            const next = ((await handle.last('log'))?.sequence ?? 0) + 1;
            // Of different lengths: what the loser has more of must not be left behind the winner's.
            const values = Array.from(
              { length: 1 + ((mine + 3 * writer) % 7) },
              (_, at) => `writer ${writer} entry ${mine} value ${at}`,
            );
            if (!(await handle.append('log', next, values))) {
              const [other] = await readAll(handle, 'log', next);
              assert.notEqual(other?.value, values[0], 'a refused append has left a value');
              continue;
            }
            for (const [at, value] of values.entries()) {
              assert.equal(won.has(next + at), false, `sequence ${next + at} was won twice`);
              won.set(next + at, value);
            }
            total += values.length;
            mine += 1;
          }
        }),
      );
      const entries = await readAll(store, 'log');
      assert.equal(entries.length, total);
      for (const [at, entry] of entries.entries())
        assert.deepEqual(entry, { sequence: at + 1, value: won.get(at + 1) });
    },
  },
];

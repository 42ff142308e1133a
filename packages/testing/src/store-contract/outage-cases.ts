import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { Store } from '@outlive/core';
import { type Cut, createCuttingProxy } from '../cutting-proxy.ts';
import type { ContractServer } from '../store-outages.ts';
import { type Handles, mustSwap, plainIndex, readAll } from './handles.ts';
import { assertLinearizable } from './linearizability.ts';
import { createRegisterHistory, orUnavailable } from './register-history.ts';

/** What a case about an outage works with. */
export interface OutageHandles extends Handles {
  readonly server: ContractServer;
  /** One more handle on the same data, whose connections lead to `port`. */
  readonly anotherAt: (port: number) => Promise<Store>;
}

/** A rule, before it is bound to a driver. */
export interface OutageRule {
  readonly name: string;
  readonly needsWatch?: true;
  readonly run: (handles: OutageHandles) => Promise<void>;
}

const writersPerHandle = 2;
const winsBetweenCrashes = 25;
const patienceMs = 60_000;

/** What holds when the server, or the way to it, fails. */
export const outageCases: readonly OutageRule[] = [
  {
    name: 'a write that is cut off on its way is unavailable, and is not done later; it is never answered false',
    run: (handles) =>
      throughProxy(handles, async (store, cutNext) => {
        for (const write of writes) {
          cutNext('request');
          const answer = await answerOf(write.run(store));
          assert.notEqual(answer, false, `${write.name} was answered false`);
          const isThere = await write.isThere(handles.store);
          assert.equal(isThere, answer === true, `${write.name} was done`);
          if (!isThere) assert.equal(await write.run(store), true, `${write.name} again`);
        }
      }),
  },
  {
    name: 'a write whose answer is cut off is unavailable, and done once; it is never answered false',
    run: (handles) =>
      throughProxy(handles, async (store, cutNext) => {
        for (const write of writes) {
          cutNext('reply');
          const answer = await answerOf(write.run(store));
          assert.notEqual(
            answer,
            false,
            `${write.name} was answered false: it lost against itself`,
          );
          await until(`${write.name} is there`, () => write.isThere(handles.store));
          assert.equal(await write.run(store), false, `${write.name} a second time`);
        }
      }),
  },
  {
    name: 'on a server that stands still operations end as unavailable, and the store works once it goes on',
    async run({ store, server }) {
      await mustSwap(store, 'key', 0, 'one');
      server.pause();
      try {
        const answers = await Promise.all([
          answerOf(store.compareAndSwap('key', 1, 'two', plainIndex)),
          answerOf(store.get('key')),
        ]);
        assert.deepEqual(answers, ['unavailable', 'unavailable']);
      } finally {
        server.resume();
      }
      // The write that was given up may still land, once, between a reading and the swap that relies on it.
      await until('a swap wins', async () => {
        const found = await store.get('key');
        assert.ok(found !== undefined && found.version >= 1);
        return store.compareAndSwap('key', found.version, 'three', plainIndex);
      });
    },
  },
  {
    name: 'while the server is down operations end as unavailable, and nothing is written; what was acknowledged is there afterwards',
    async run({ store, server, another }) {
      const unused = await another();
      await mustSwap(store, 'key', 0, 'one');
      assert.equal(await store.append('log', 1, ['entry']), true);
      await server.kill();
      try {
        for (const handle of [store, unused]) {
          assert.equal(await answerOf(handle.get('key')), 'unavailable');
          const write = handle.compareAndSwap('key', 1, 'two', plainIndex);
          assert.equal(await answerOf(write), 'unavailable');
        }
      } finally {
        await server.start();
      }
      for (const handle of [store, unused]) {
        assert.deepEqual(await handle.get('key'), { version: 1, value: 'one', index: plainIndex });
        assert.deepEqual(await handle.last('log'), { sequence: 1, value: 'entry' });
      }
    },
  },
  {
    name: 'the history of a server that is killed while many read and swap is linearizable, outcomes that nobody learned included',
    async run({ store, server, another }) {
      const handles = [store, await another(), await another()];
      const history = createRegisterHistory();
      let isStopping = false;
      let wins = 0;
      const work = async (handle: Store, id: number): Promise<void> => {
        for (let round = 0; !isStopping; round += 1) {
          const version = await history.read(handle);
          if (version === undefined) continue;
          if ((await history.swap(handle, version, `${id}-${round}`)) === 'won') wins += 1;
        }
      };
      const workers = handles.flatMap((handle, at) =>
        Array.from({ length: writersPerHandle }, (_, writer) =>
          work(handle, at * writersPerHandle + writer),
        ),
      );
      try {
        for (let crash = 0; crash < 3; crash += 1) {
          const enough = wins + winsBetweenCrashes;
          await until(`there are ${enough} writes`, async () => wins >= enough);
          await server.kill();
          await server.start();
        }
      } finally {
        isStopping = true;
        await Promise.all(workers);
      }
      // What was written last shows to nobody else.
      assert.ok((await history.read(store)) !== undefined);
      assertLinearizable(history.operations);
    },
  },
  {
    name: 'watchers wake again after the server was restarted',
    needsWatch: true,
    async run({ store, server, another }) {
      const other = await another();
      let wakes = 0;
      using _watch = store.watch?.({ keys: ['key'] }, () => {
        wakes += 1;
      });
      await mustSwap(other, 'key', 0, 'one');
      await until('a watcher wakes', async () => wakes > 0);
      await server.kill();
      await server.start();
      // A connection that was lost meanwhile may show by the first write, whose outcome is then not known.
      await until('writes are answered again', async () => {
        const version = (await store.get('key'))?.version ?? 0;
        return (await answerOf(other.compareAndSwap('key', version, 'next', plainIndex))) === true;
      });
      const before = wakes;
      const version = (await store.get('key'))?.version ?? 0;
      await mustSwap(other, 'key', version, 'last');
      await until('a watcher wakes', async () => wakes > before);
    },
  },
];

/** The kinds of write, each of which can be done once. */
const writes = [
  {
    name: 'a first swap',
    run: (store: Store) => store.compareAndSwap('key', 0, 'one', plainIndex),
    isThere: async (store: Store) => (await store.get('key'))?.version === 1,
  },
  {
    name: 'a swap',
    run: (store: Store) => store.compareAndSwap('key', 1, 'two', plainIndex),
    isThere: async (store: Store) => (await store.get('key'))?.version === 2,
  },
  {
    name: 'an append',
    run: (store: Store) => store.append('log', 1, ['one', 'two', 'three']),
    isThere: async (store: Store) => {
      const found = (await readAll(store, 'log')).length;
      assert.ok(found === 0 || found === 3, `${found} of 3 values were appended`);
      return found === 3;
    },
  },
] as const;

async function throughProxy(
  { store, server, anotherAt }: OutageHandles,
  use: (store: Store, cutNext: (cut: Cut) => void) => Promise<void>,
): Promise<void> {
  const proxy = await createCuttingProxy(server);
  try {
    // The first operations make tables and teach the server scripts: what is cut below is a write.
    await mustSwap(store, 'warm', 0, 'value');
    await store.append('warm', 1, ['entry']);
    const cut = await anotherAt(proxy.port);
    await cut.get('key');
    await use(cut, proxy.cutNext);
  } finally {
    await proxy.stop();
  }
}

async function answerOf(operation: Promise<unknown>): Promise<unknown> {
  return orUnavailable(operation);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + patienceMs;
  while (!(await holds())) {
    assert.ok(performance.now() < endsAt, `not within ${patienceMs} ms: ${what}`);
    await wait(10);
  }
}

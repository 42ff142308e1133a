import { memoryStore, type Store } from '@outlive/core';
import { describe, expect, it } from 'vitest';
import { assertLinearizable } from '../src/store-contract/linearizability.ts';
import { storeContract } from '../src/store-contract.ts';

/** The names of the rules that a driver breaks. */
async function brokenRules(change: (good: Store) => Partial<Store>): Promise<string[]> {
  const broken: string[] = [];
  const open = async (): Promise<Store> => {
    const good = memoryStore();
    return { ...good, ...change(good) };
  };
  for (const { name, run } of storeContract({ open, wakeWithinMs: 20 })) {
    try {
      await run();
    } catch {
      broken.push(name);
    }
  }
  return broken;
}

describe('storeContract', () => {
  it('finds nothing wrong with a good driver', async () => {
    expect(await brokenRules(() => ({}))).toEqual([]);
  });

  it('catches a swap that reads first and writes later', async () => {
    const broken = await brokenRules((good) => ({
      async compareAndSwap(key, expectedVersion, value, index) {
        const version = (await good.get(key))?.version ?? 0;
        if (version !== expectedVersion) return false;
        await Promise.resolve();
        await good.compareAndSwap(key, (await good.get(key))?.version ?? 0, value, index);
        return true;
      },
    }));
    expect(broken).toContain('increments by read and swap lose no update');
    expect(broken).toContain(
      'a history of concurrent swaps and reads through several handles is linearizable',
    );
  });

  it('catches reads from a replica that lags behind', async () => {
    const broken = await brokenRules((good) => {
      const replica = new Map<string, Awaited<ReturnType<Store['get']>>>();
      return {
        async get(key) {
          const seen = replica.get(key);
          replica.set(key, await good.get(key));
          return seen ?? replica.get(key);
        },
      };
    });
    expect(broken).toContain('another handle sees every acknowledged write, at once');
    expect(broken).toContain(
      'a history of concurrent swaps and reads through several handles is linearizable',
    );
  });

  it('catches a driver that deletes where it should keep a tombstone', async () => {
    const broken = await brokenRules((good) => ({
      async get(key) {
        const record = await good.get(key);
        return record?.value === null ? undefined : record;
      },
    }));
    expect(broken).toContain(
      'a tombstone is a version: it stays readable, counts on, and 0 never matches again',
    );
  });

  it('catches keys that are folded together', async () => {
    const broken = await brokenRules((good) => ({
      get: (key) => good.get(key.normalize('NFC')),
      compareAndSwap: (key, ...rest) => good.compareAndSwap(key.normalize('NFC'), ...rest),
    }));
    expect(broken).toContain(
      'odd keys are kept apart, and kept apart from streams of the same name',
    );
  });

  it('catches an append that adds its values one by one, and one that adds those that are free', async () => {
    const oneByOne = await brokenRules((good) => ({
      async append(stream, expectedSequence, values) {
        for (const [at, value] of values.entries()) {
          if (!(await good.append(stream, expectedSequence + at, [value]))) return false;
          await new Promise(setImmediate);
        }
        return values.length > 0;
      },
    }));
    expect(oneByOne).toEqual([
      'concurrent appends make neither gaps nor forks: one writer wins each sequence, with all its values',
    ]);
    const whatIsFree = await brokenRules((good) => ({
      async append(stream, expectedSequence, values) {
        const next = ((await good.last(stream))?.sequence ?? 0) + 1;
        return good.append(stream, next, values.slice(next - expectedSequence));
      },
    }));
    expect(whatIsFree).toContain(
      'append adds all values or none, wherever it is refused; and of no values none',
    );
  });

  it('catches dueBefore without its boundary', async () => {
    const broken = await brokenRules((good) => ({
      list: (query) =>
        good.list(
          query.dueBefore === undefined ? query : { ...query, dueBefore: query.dueBefore - 1 },
        ),
    }));
    expect(broken).toContain(
      'dueBefore includes its own instant, excludes records without dueAt, and yields the oldest first',
    );
  });

  it('catches a watch that never wakes, and one that is missing', async () => {
    const silent = await brokenRules(() => ({ watch: () => ({ [Symbol.dispose]: () => {} }) }));
    expect(silent).toHaveLength(5);
    expect(await brokenRules(() => ({ watch: undefined as never }))).toHaveLength(5);
  });

  it('leaves the watch cases out for a driver without watch', () => {
    const open = async (): Promise<Store> => memoryStore();
    const all = storeContract({ open }).length;
    expect(storeContract({ open, watches: false })).toHaveLength(all - 5);
  });
});

describe('assertLinearizable', () => {
  const won = (expected: number, invokedAt: number, answeredAt: number) =>
    ({ type: 'won', expected, value: `v${expected + 1}`, invokedAt, answeredAt }) as const;
  const lost = (expected: number, invokedAt: number, answeredAt: number) =>
    ({ type: 'lost', expected, value: 'lost', invokedAt, answeredAt }) as const;
  const read = (version: number, invokedAt: number, answeredAt: number) =>
    ({
      type: 'read',
      version,
      value: version === 0 ? null : `v${version}`,
      invokedAt,
      answeredAt,
    }) as const;

  it('accepts overlapping operations that some order explains', () => {
    assertLinearizable([won(0, 1, 6), read(1, 2, 3), read(0, 1, 4), lost(0, 2, 5), won(1, 7, 8)]);
  });

  it('takes a swap without an answer as done where somebody read it, and as not done elsewhere', () => {
    const unknown = (expected: number, invokedAt: number, answeredAt: number) =>
      ({ ...won(expected, invokedAt, answeredAt), type: 'unknown' }) as const;
    // Done long after its caller had given up.
    assertLinearizable([
      won(0, 1, 2),
      unknown(1, 3, 4),
      read(1, 5, 6),
      read(2, 7, 8),
      won(2, 9, 10),
    ]);
    assertLinearizable([unknown(0, 1, 2), read(0, 3, 4)]);
    // Nobody can have read it before it was called, nor twice from one version.
    expect(() => assertLinearizable([read(1, 1, 2), unknown(0, 3, 4)])).toThrow(/answered before/);
    const other = { ...won(0, 5, 6), value: 'other' };
    expect(() => assertLinearizable([unknown(0, 1, 2), read(1, 3, 4), other])).toThrow(/won twice/);
    expect(() => assertLinearizable([won(0, 1, 2), read(0, 3, 4)])).toThrow(/answered before/);
  });

  it('refuses a version won twice, a gap, a stale read, a read from the future and an unexplained loss', () => {
    expect(() => assertLinearizable([won(0, 1, 2), won(0, 3, 4)])).toThrow(/won twice/);
    expect(() => assertLinearizable([won(0, 1, 2), won(2, 3, 4)])).toThrow(/written by nobody/);
    expect(() => assertLinearizable([won(0, 1, 2), read(0, 3, 4)])).toThrow(/answered before/);
    expect(() => assertLinearizable([read(1, 1, 2), won(0, 3, 4)])).toThrow(/answered before/);
    expect(() => assertLinearizable([lost(0, 1, 2), won(0, 3, 4)])).toThrow(/lost although/);
    expect(() => assertLinearizable([won(0, 1, 2), { ...read(1, 3, 4), value: 'x' }])).toThrow(
      /did not write/,
    );
  });
});

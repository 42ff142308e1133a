import { createRecentMap } from './recent-map.ts';
import { decodeRecord, encodeRecord } from './record-encoding.ts';
import type { Sealer } from './sealing.ts';
import type { ListedRecord, RecordIndex, RecordQuery, Store } from './store.ts';

/** A record as the runtime works with it: opened and decoded. */
export interface Versioned<T> {
  readonly version: number;
  readonly value: T;
  readonly index: RecordIndex;
}

/**
 * Typed, sealed records over a {@link Store}. Values are plain JSON data and {@link Secret}s; fields that are
 * `undefined` are left out. `StoreError`s pass through unchanged.
 */
export interface Records {
  /**
   * The record at `key`; `undefined` when it was never written or is deleted.
   *
   * @throws {SealingError} when it is there and cannot be opened. That is never the same as "not there".
   */
  get<T>(key: string): Promise<Versioned<T> | undefined>;
  /** The version a swap has to expect: also that of a deleted key, to create it again; 0 when never written. */
  version(key: string): Promise<number>;
  /**
   * Writes `value` (deletes when `null`) as version `expectedVersion + 1`. Answers whether it did; after a throw
   * it may or may not have, and only reading tells.
   *
   * A fraction of a millisecond in `index.dueAt` is rounded up.
   */
  swap<T>(
    key: string,
    expectedVersion: number,
    value: T | null,
    index: RecordIndex,
  ): Promise<boolean>;
  /** What matches the index. A hint until `get` has opened the record: only then is the index known to be its own. */
  list(query: RecordQuery): AsyncIterable<ListedRecord>;
}

/** A record of which this process knows what its sealed text says, since it has sealed or opened it. */
interface KnownRecord {
  readonly record: Versioned<unknown>;
  readonly text: string;
}

const rememberedRecords = 256;

/** Puts `sealer` between the runtime and `store`, so that a driver never sees a secret. */
export function createRecords(parts: { readonly store: Store; readonly sealer: Sealer }): Records {
  const { store, sealer } = parts;
  const recent = createRecentMap<string, KnownRecord>(rememberedRecords);

  return {
    async get<T>(key: string): Promise<Versioned<T> | undefined> {
      const record = await store.get(key);
      if (record === undefined || record.value === null) return undefined;
      const { version, index, value: text } = record;
      const known = recent.get(key);
      if (known !== undefined && isSame(known, { version, index, text }))
        return known.record as Versioned<T>;
      const plain = await sealer.open(text, { key, version, index });
      const opened = { version, value: decodeRecord(plain, index.kind) as T, index };
      recent.set(key, { record: opened, text });
      return opened;
    },

    async version(key) {
      return (await store.get(key))?.version ?? 0;
    },

    async swap(key, expectedVersion, value, index) {
      const whole = wholeMilliseconds(index);
      if (value === null) return store.compareAndSwap(key, expectedVersion, null, whole);
      const version = expectedVersion + 1;
      const sealed = await sealer.seal(encodeRecord(value), { key, version, index: whole });
      const swapped = await store.compareAndSwap(key, expectedVersion, sealed, whole);
      if (swapped) recent.set(key, { record: { version, value, index: whole }, text: sealed });
      return swapped;
    },

    list: (query) => store.list(query),
  };
}

/** Whether the store still holds, letter for letter, what is known. */
function isSame(
  { record: { version, index }, text }: KnownRecord,
  found: { readonly version: number; readonly index: RecordIndex; readonly text: string },
): boolean {
  return (
    version === found.version &&
    text === found.text &&
    index.kind === found.index.kind &&
    index.status === found.index.status &&
    index.subject === found.index.subject &&
    index.taskId === found.index.taskId &&
    index.dueAt === found.index.dueAt
  );
}

/** The index is part of what is sealed, and a driver with an integer column would change a fraction under it. */
function wholeMilliseconds(index: RecordIndex): RecordIndex {
  if (index.dueAt === undefined || Number.isSafeInteger(index.dueAt)) return index;
  const dueAt = Math.ceil(index.dueAt);
  if (!Number.isSafeInteger(dueAt))
    throw new TypeError(`index.dueAt: expected epoch milliseconds; got ${index.dueAt}`);
  return { ...index, dueAt };
}

import assert from 'node:assert/strict';
import type { ListedRecord, RecordIndex, RecordQuery, Store, StreamEntry } from '@outlive/core';

/** The stores that one case works with. */
export interface Handles {
  /** On data that was empty when the case began. */
  readonly store: Store;
  /** One more handle on the same data; `store` itself if the driver has no second one. */
  readonly another: () => Promise<Store>;
  /** Takes a handle that has to be closed with the others. */
  readonly open: (opening: () => Promise<Store>) => Promise<Store>;
  readonly wakeWithinMs: number;
  readonly closeAll: () => Promise<void>;
}

/** A rule, before it is bound to a driver. */
export interface ContractRule {
  readonly name: string;
  readonly run: (handles: Handles) => Promise<void>;
}

/** Opens the first store of a case. */
export async function createHandles(options: {
  readonly open: () => Promise<Store>;
  readonly reopen?: ((store: Store) => Promise<Store>) | undefined;
  readonly wakeWithinMs?: number | undefined;
}): Promise<Handles> {
  const store = await options.open();
  const opened = [store];
  const open = async (opening: () => Promise<Store>): Promise<Store> => {
    const handle = await opening();
    opened.push(handle);
    return handle;
  };
  return {
    store,
    open,
    async another() {
      const { reopen } = options;
      return reopen === undefined ? store : open(() => reopen(store));
    },
    wakeWithinMs: options.wakeWithinMs ?? 5000,
    async closeAll() {
      for (const handle of opened) await handle.close();
    },
  };
}

/** The index of records whose index does not matter. */
export const plainIndex: RecordIndex = { kind: 'grant' };

/** Swaps, and fails the case if the store answers that it did not. */
export async function mustSwap(
  store: Store,
  key: string,
  expectedVersion: number,
  value: string | null,
  index: RecordIndex = plainIndex,
): Promise<void> {
  const swapped = await store.compareAndSwap(key, expectedVersion, value, index);
  assert.equal(swapped, true, `swap of ${JSON.stringify(key)} from version ${expectedVersion}`);
}

/** Everything that `list` yields. */
export async function listAll(store: Store, query: RecordQuery): Promise<ListedRecord[]> {
  const found: ListedRecord[] = [];
  for await (const record of store.list(query)) found.push(record);
  return found;
}

/** The keys that `list` yields, sorted. */
export async function listKeys(store: Store, query: RecordQuery): Promise<string[]> {
  return (await listAll(store, query)).map((record) => record.key).sort();
}

/** Everything that `read` yields. */
export async function readAll(
  store: Store,
  stream: string,
  fromSequence = 1,
): Promise<StreamEntry[]> {
  const entries: StreamEntry[] = [];
  for await (const entry of store.read(stream, fromSequence)) entries.push(entry);
  return entries;
}

/** Names that drivers like to get wrong: separators, wildcards, quotes, control characters, Unicode. */
export const oddNames: readonly string[] = [
  '',
  ' ',
  'a',
  'A',
  'a ',
  'a:b',
  'a:b:',
  ':a:b',
  'a/b',
  'a*',
  'a%',
  'a_',
  'a?',
  '{a}',
  '[a]',
  "a'b",
  'a"b',
  'a\\b',
  'a;--',
  '$1',
  'a\tb',
  'a\nb',
  'a\r\nb',
  'a\u0001\u001f\u007fb',
  '\u00e9',
  'e\u0301',
  'ß',
  'ss',
  'İi',
  '漢字',
  '\u202eabc',
  '👩‍👩‍👧',
  '\uffff',
  '\u{10ffff}',
  'constructor',
  '__proto__',
  'null',
  'undefined',
  'x'.repeat(2000),
  `${'x'.repeat(1999)}y`,
];

/**
 * The kinds of record the runtime keeps. Each is a separate record, so that none of them can make another lose a write. A task
 * for which nothing is left to do becomes an `ended-task`.
 */
export type RecordKind =
  | 'grant'
  | 'subject'
  | 'task'
  | 'ended-task'
  | 'pause'
  | 'delegation'
  | 'call'
  | 'connection'
  | 'installation'
  | 'hold'
  | 'switch'
  | 'link'
  | 'event';

/** The small part of a record that a store can search. Values that name people are keyed hashes; nothing here is secret. */
export interface RecordIndex {
  readonly kind: RecordKind;
  readonly status?: string;
  /** Keyed hash of the principal. */
  readonly subject?: string;
  readonly taskId?: string;
  /** Epoch ms at which `outlive.maintain()` has work to do for this record; of an ended task, from when it is kept. */
  readonly dueAt?: number;
}

/** A record as stored. `value` is `null` for a tombstone: the key was deleted and keeps counting versions. */
export interface StoredRecord {
  /** 1 for the first write, then exactly one more with each write. */
  readonly version: number;
  /** Sealed by core; opaque to the store. */
  readonly value: string | null;
  readonly index: RecordIndex;
}

/** A filter over the index. Every given field must match; `dueBefore` matches records whose `dueAt` is at or before it. */
export interface RecordQuery {
  readonly kind: RecordKind;
  readonly status?: string;
  readonly subject?: string;
  readonly taskId?: string;
  readonly dueBefore?: number;
}

/** What `list` yields: enough to decide whether to `get` the record. */
export interface ListedRecord {
  readonly key: string;
  readonly version: number;
  readonly index: RecordIndex;
}

/** One entry of an append-only stream. Sequences start at 1 and have no gaps. */
export interface StreamEntry {
  readonly sequence: number;
  readonly value: string;
}

/** What a watcher waits for: a change of one of these records or streams. */
export interface WatchTarget {
  readonly keys?: readonly string[];
  readonly streams?: readonly string[];
}

/**
 * The one primitive everything durable is built on.
 *
 * A driver never sees a secret (values arrive sealed) and never decides anything. It promises:
 * `compareAndSwap` is linearizable, and durable once it has answered `true`; `get` sees every acknowledged
 * write; an operation that throws may or may not have happened, and the caller re-reads to find out.
 */
export interface Store {
  /** What this store holds ends with the process, so tokens in it need no sealing. */
  readonly ephemeral?: true;

  /** The record at `key`, tombstones included; `undefined` if the key was never written. */
  get(key: string): Promise<StoredRecord | undefined>;

  /**
   * Writes `value` (a tombstone when `null`) as version `expectedVersion + 1`, only if the stored version is
   * `expectedVersion`; 0 means that the key must never have been written. Answers whether it did.
   */
  compareAndSwap(
    key: string,
    expectedVersion: number,
    value: string | null,
    index: RecordIndex,
  ): Promise<boolean>;

  /** Records whose index matches, oldest `dueAt` first where the query has `dueBefore`. Tombstones are left out. */
  list(query: RecordQuery): AsyncIterable<ListedRecord>;

  /**
   * Appends `values` as the entries from `expectedSequence` on, in their order, only if the stream has exactly
   * `expectedSequence - 1` entries. Answers whether it did: all of them are there then, and else none; of no values, none.
   *
   * A driver takes up to 256 at once that have at most 262 144 characters together, and a single one of any length. The
   * runtime never gives more.
   */
  append(stream: string, expectedSequence: number, values: readonly string[]): Promise<boolean>;

  /** Entries with a sequence at or above `fromSequence`, in order. */
  read(stream: string, fromSequence: number): AsyncIterable<StreamEntry>;

  /** The newest entry of `stream`, or `undefined` for an empty one. */
  last(stream: string): Promise<StreamEntry | undefined>;

  /** `watch` costs work all the time, since the driver looks for changes: it is used only while somebody waits. */
  readonly watchesByPolling?: true;

  /**
   * Removes the record at `key` for good, a tombstone too, only if its version is `version`: the key is then as if it
   * had never been written. Answers whether it did.
   */
  forget(key: string, version: number): Promise<boolean>;

  /**
   * Removes the entries of `stream` with a sequence below `fromSequence` for good. The others keep their sequences; a
   * stream of which nothing is left begins at 1 again.
   */
  trim(stream: string, fromSequence: number): Promise<void>;

  /**
   * Calls `wake` soon after something in `target` may have changed, in this process or another. A hint, never
   * the truth: it may fire for nothing, and it may be late or lost, so callers also poll.
   */
  watch?(target: WatchTarget, wake: () => void): Disposable;

  /** Releases what the driver holds open. */
  close(): Promise<void>;
}

/** Thrown by drivers when the store cannot be used as it is. The message says what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /**
   * - `unavailable`: try again later; the outcome of a write is unknown.
   * - `corrupt`: what is stored cannot be read; nothing was overwritten.
   * - `read_only`: the store refuses writes.
   * - `full`: no space left.
   * - `newer_schema`: written by a newer version of the driver.
   */
  readonly code: 'unavailable' | 'corrupt' | 'read_only' | 'full' | 'newer_schema';

  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

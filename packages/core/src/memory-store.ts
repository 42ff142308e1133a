import { createWaker } from './driver/waker.ts';
import {
  type ListedRecord,
  type RecordIndex,
  type RecordKind,
  type RecordQuery,
  type Store,
  type StoredRecord,
  StoreError,
  type StreamEntry,
  type WatchTarget,
} from './store.ts';

/**
 * A store that lives and dies with this process: for tests, for trying things out, and for services that may
 * forget every grant when they restart.
 *
 * Every operation takes effect before its promise is returned, hence it is linearizable. What it hands out is
 * frozen. Once closed, its operations reject with a {@link StoreError} `unavailable`.
 */
export function memoryStore(): Store {
  const records = new Map<string, StoredRecord>();
  const liveKeys = new Map<RecordKind, Set<string>>();
  const streams = new Map<string, StreamEntry[]>();
  const watchers = createWatchers();
  let closed = false;

  const assertOpen = (): void => {
    if (closed)
      throw new StoreError('unavailable', 'This memory store is closed; nothing was done.');
  };

  const replace = (key: string, record: StoredRecord): void => {
    const previous = records.get(key);
    if (previous !== undefined) liveKeys.get(previous.index.kind)?.delete(key);
    records.set(key, record);
    if (record.value === null) return;
    const ofKind = liveKeys.get(record.index.kind) ?? new Set();
    liveKeys.set(record.index.kind, ofKind.add(key));
  };

  return {
    ephemeral: true,

    async get(key) {
      assertOpen();
      return records.get(key);
    },

    async compareAndSwap(key, expectedVersion, value, index) {
      assertOpen();
      if ((records.get(key)?.version ?? 0) !== expectedVersion) return false;
      replace(
        key,
        Object.freeze({ version: expectedVersion + 1, value, index: frozenIndex(index) }),
      );
      watchers.wake('key', key);
      return true;
    },

    async *list(query) {
      assertOpen();
      const found: ListedRecord[] = [];
      for (const key of liveKeys.get(query.kind) ?? []) {
        const record = records.get(key);
        if (record === undefined || !matches(record.index, query)) continue;
        found.push(Object.freeze({ key, version: record.version, index: record.index }));
      }
      if (query.dueBefore !== undefined)
        found.sort((one, other) => (one.index.dueAt ?? 0) - (other.index.dueAt ?? 0));
      for (const record of found) {
        assertOpen();
        yield record;
      }
    },

    async append(stream, expectedSequence, values) {
      assertOpen();
      const entries = streams.get(stream) ?? [];
      if ((entries.at(-1)?.sequence ?? 0) + 1 !== expectedSequence || values.length === 0)
        return false;
      for (const [at, value] of values.entries())
        entries.push(Object.freeze({ sequence: expectedSequence + at, value }));
      streams.set(stream, entries);
      watchers.wake('stream', stream);
      return true;
    },

    async *read(stream, fromSequence) {
      assertOpen();
      let next = fromSequence;
      for (;;) {
        // Found again each time: entries may be added, and removed, while somebody reads.
        const [first] = streams.get(stream) ?? [];
        const at = Math.max(0, Math.ceil(next) - (first?.sequence ?? 1));
        const entry = streams.get(stream)?.[at];
        if (entry === undefined) return;
        next = entry.sequence + 1;
        yield entry;
        assertOpen();
      }
    },

    async last(stream) {
      assertOpen();
      return streams.get(stream)?.at(-1);
    },

    async forget(key, version) {
      assertOpen();
      const record = records.get(key);
      if (record?.version !== version) return false;
      records.delete(key);
      liveKeys.get(record.index.kind)?.delete(key);
      return true;
    },

    async trim(stream, fromSequence) {
      assertOpen();
      const kept = (streams.get(stream) ?? []).filter(({ sequence }) => sequence >= fromSequence);
      if (kept.length === 0) streams.delete(stream);
      else streams.set(stream, kept);
    },

    watch(target, wake) {
      assertOpen();
      return watchers.add(target, wake);
    },

    async close() {
      closed = true;
      watchers.clear();
      records.clear();
      liveKeys.clear();
      streams.clear();
    },
  };
}

function frozenIndex(index: RecordIndex): RecordIndex {
  return Object.freeze({
    kind: index.kind,
    ...(index.status === undefined ? {} : { status: index.status }),
    ...(index.subject === undefined ? {} : { subject: index.subject }),
    ...(index.taskId === undefined ? {} : { taskId: index.taskId }),
    ...(index.dueAt === undefined ? {} : { dueAt: index.dueAt }),
  });
}

function matches(index: RecordIndex, query: RecordQuery): boolean {
  return (
    (query.status === undefined || index.status === query.status) &&
    (query.subject === undefined || index.subject === query.subject) &&
    (query.taskId === undefined || index.taskId === query.taskId) &&
    (query.dueBefore === undefined || (index.dueAt !== undefined && index.dueAt <= query.dueBefore))
  );
}

interface Watchers {
  add(target: WatchTarget, wake: () => void): Disposable;
  wake(space: 'key' | 'stream', name: string): void;
  clear(): void;
}

function createWatchers(): Watchers {
  const byTopic = new Map<string, Set<() => void>>();

  return {
    add(target, wake) {
      const waker = createWaker(wake);
      const { deliver } = waker;
      const topics = [
        ...(target.keys ?? []).map((key) => `key ${key}`),
        ...(target.streams ?? []).map((stream) => `stream ${stream}`),
      ];
      for (const topic of topics)
        byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(deliver));
      return {
        [Symbol.dispose]() {
          waker[Symbol.dispose]();
          for (const topic of topics) {
            const waiting = byTopic.get(topic);
            waiting?.delete(deliver);
            if (waiting?.size === 0) byTopic.delete(topic);
          }
        },
      };
    },

    wake(space, name) {
      for (const deliver of byTopic.get(`${space} ${name}`) ?? []) deliver();
    },

    clear() {
      byTopic.clear();
    },
  };
}

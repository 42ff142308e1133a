import { Semaphore } from 'async-mutex';
import {
  type AuditEntry,
  type AuditHead,
  type ChainVerification,
  decodeEntry,
  verifyChain,
} from './audit-chain.ts';
import type { AuditEvent } from './audit-event.ts';
import { type AuditProblem, printProblem } from './audit-problem.ts';
import { type AuditSink, createSinkFeed } from './audit-sink.ts';
import { createStreamWriter, type StreamWriter } from './audit-writer.ts';
import type { Clock } from './clock.ts';
import type { KeyedHash } from './keyed-hash.ts';
import { createRecentMap } from './recent-map.ts';
import { type Store, StoreError } from './store.ts';

/** The append-only record of what happened. */
export interface Audit {
  /** Queues `event` for `stream`. Keeps the order within a stream; never throws, never waits. */
  record(stream: string, event: AuditEvent): void;
  /** Resolves when everything recorded for `stream` is stored, or the store has refused it once more. */
  stored(stream: string): Promise<void>;
  /** What must not fail and does: the name of a sink, or `store`. Nothing may be done in anybody's name meanwhile. */
  readonly obstacle: string | undefined;
  /**
   * Resolves when everything queued before is stored and given to the sinks, or when the store has refused it
   * once more (it then stays queued).
   */
  flush(): Promise<void>;
  /**
   * What is stored, oldest first. Checks nothing: that is what `verify` is for.
   *
   * @throws {StoreError} `corrupt` at an entry that cannot be read.
   */
  read(stream: string): AsyncIterable<AuditEntry>;
  /** The last entries that are stored, at most `count`, oldest first; entries that cannot be read are left out. */
  newest(stream: string, count: number): Promise<AuditEntry[]>;
  /** Checks every entry against the chain, and the chain against `anchor` if one was kept elsewhere. */
  verify(stream: string, anchor?: AuditHead): Promise<ChainVerification>;
  /** The newest entry's place and hash, to be kept outside of the store; `undefined` for an empty stream. */
  head(stream: string): Promise<AuditHead | undefined>;
  /** Flushes, then stops trying. What is still queued is reported as dropped, and so is what comes later. */
  close(): Promise<void>;
}

/** What an audit is made of. */
export interface AuditOptions {
  readonly store: Store;
  readonly keyedHash: KeyedHash;
  readonly clock: Clock;
  readonly sinks?: readonly AuditSink[];
  /** Whether work goes on while the store takes no entries: they wait in memory then. Default `continue`. */
  readonly whenStoreFails?: 'continue' | 'stop';
  /** Default: a line on `console.error`. */
  readonly onProblem?: (problem: AuditProblem) => void;
  /** Events that may wait in memory, over all streams. Default 10 000. */
  readonly queueLimit?: number;
}

const parallelStreams = 8;
const rememberedHeads = 1024;

/**
 * Makes the record that a process writes. Other processes may write the same streams: an append names the
 * sequence it expects, and the process that comes second chains its event to what it finds and tries again.
 */
export function createAudit(options: AuditOptions): Audit {
  const { store, keyedHash, clock, queueLimit = 10_000 } = options;
  const onProblem = options.onProblem ?? printProblem;
  const writers = new Map<string, StreamWriter>();
  const heads = createRecentMap<string, AuditHead>(rememberedHeads);
  const droppedBefore = new Map<string, number>();
  const turns = new Semaphore(parallelStreams);
  const process = crypto.randomUUID();
  let recorded = 0;
  let queued = 0;
  let closed = false;

  /** Names of sinks, and the streams that the store refuses. */
  const obstacles = new Map<string, string>();
  const mustStore = options.whenStoreFails === 'stop';
  /** What fails must show before the next call, so nothing is gathered for it. */
  const mayStop =
    mustStore || options.sinks?.some(({ whenFailing }) => whenFailing === 'stop') === true;

  const feeds = (options.sinks ?? []).map((sink) =>
    createSinkFeed(
      sink,
      { limit: queueLimit, clock },
      {
        report: ({ stream }, message, cause) => report({ kind: 'sink', stream, message, cause }),
        failing: (isFailing) => obstruct(`sink ${sink.name}`, sink.name, isFailing),
      },
    ),
  );

  function obstruct(key: string, name: string, isFailing: boolean): void {
    if (isFailing) obstacles.set(key, name);
    else obstacles.delete(key);
  }

  function report(problem: AuditProblem): void {
    try {
      onProblem(problem);
    } catch (cause) {
      // Whoever records must not fail because the reporter does; the problem still reaches somebody.
      printProblem({ ...problem, cause: new AggregateError([problem.cause, cause]) });
    }
  }

  /** The next event of the stream will say how many are missing before it. */
  function owe(stream: string, events: number): void {
    droppedBefore.set(stream, (droppedBefore.get(stream) ?? 0) + events);
  }

  function drop(stream: string, message: string, cause?: unknown): void {
    owe(stream, 1);
    report({ kind: 'dropped', stream, message, cause });
  }

  function writerOf(stream: string): StreamWriter {
    const known = writers.get(stream);
    if (known !== undefined) return known;
    const writer = createStreamWriter({
      stream,
      store,
      keyedHash,
      clock,
      head: heads.get(stream),
      inTurn: (attempt) => turns.runExclusive(attempt),
      onStored(entry) {
        queued -= 1;
        if (mustStore) obstruct(`stream ${stream}`, 'store', false);
        for (const feed of feeds) feed.offer(entry);
      },
      onUnusable(pending, cause) {
        queued -= 1;
        owe(stream, pending.dropped);
        drop(stream, `an event (${pending.event.type}) that cannot be stored`, cause);
      },
      onUnavailable(cause) {
        if (mustStore) obstruct(`stream ${stream}`, 'store', true);
        report({ kind: 'unavailable', stream, message: 'the store refuses; trying again', cause });
      },
      onDamaged: (message) => report({ kind: 'damaged', stream, message }),
      onDrained(head) {
        writers.delete(stream);
        if (head !== undefined) heads.set(stream, head);
      },
    });
    writers.set(stream, writer);
    return writer;
  }

  async function flush(): Promise<void> {
    await Promise.all([...writers.values()].map((writer) => writer.attempt()));
    await Promise.all(feeds.map((feed) => feed.settled()));
  }

  return {
    record(stream, event) {
      if (closed) return drop(stream, `an event (${event.type}) after the audit was closed`);
      if (queued >= queueLimit)
        return drop(stream, `an event (${event.type}): ${queueLimit} already wait`);
      const dropped = droppedBefore.get(stream) ?? 0;
      droppedBefore.delete(stream);
      queued += 1;
      recorded += 1;
      const writer = writerOf(stream);
      writer.push({ id: `${process}-${recorded}`, event: { ...event }, dropped });
      if (mayStop) void writer.attempt();
    },

    flush,
    stored: (stream) => writers.get(stream)?.attempt() ?? Promise.resolve(),
    get obstacle() {
      return obstacles.size === 0 ? undefined : obstacles.values().next().value;
    },

    async *read(stream) {
      for await (const { sequence, value } of store.read(stream, 1)) {
        const entry = decodeEntry(value);
        if (entry === undefined)
          throw new StoreError('corrupt', `Entry ${sequence} of ${stream} is not an audit entry.`);
        yield entry;
      }
    },

    async newest(stream, count) {
      const last = await store.last(stream);
      const entries: AuditEntry[] = [];
      if (last === undefined) return entries;
      for await (const { value } of store.read(stream, Math.max(1, last.sequence - count + 1))) {
        const entry = decodeEntry(value);
        if (entry !== undefined) entries.push(entry);
      }
      return entries;
    },

    verify: (stream, anchor) => verifyChain(keyedHash, stream, store.read(stream, 1), anchor),

    async head(stream) {
      const last = await store.last(stream);
      if (last === undefined) return undefined;
      const entry = decodeEntry(last.value);
      if (entry === undefined)
        throw new StoreError(
          'corrupt',
          `Entry ${last.sequence} of ${stream} is not an audit entry.`,
        );
      return { sequence: last.sequence, hash: entry.hash };
    },

    async close() {
      closed = true;
      await flush();
      for (const [stream, writer] of writers) {
        const left = writer.abandon();
        queued -= left;
        if (left > 0)
          report({
            kind: 'dropped',
            stream,
            message: `${left} events that the store did not take`,
          });
      }
      for (const [position, feed] of feeds.entries()) {
        const left = feed.abandon();
        const sink = options.sinks?.[position]?.name;
        if (left > 0)
          report({
            kind: 'sink',
            stream: '',
            message: `sink "${sink}" did not take ${left} entries; the store has them`,
          });
      }
    },
  };
}

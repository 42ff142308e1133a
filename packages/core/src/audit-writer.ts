import {
  type AuditEntry,
  type AuditHead,
  chainEntry,
  chainStart,
  decodeEntry,
} from './audit-chain.ts';
import type { AuditEvent } from './audit-event.ts';
import type { Clock } from './clock.ts';
import type { KeyedHash } from './keyed-hash.ts';
import { inNextTurn } from './next-turn.ts';
import { createQueueWaiters } from './queue-waiters.ts';
import type { Store } from './store.ts';

/** An event that waits to be stored. */
export interface PendingEvent {
  readonly id: string;
  readonly event: AuditEvent;
  /** Events of the same stream that were given up just before it. */
  readonly dropped: number;
}

/** Appends the events of one stream, one after another. */
export interface StreamWriter {
  push(pending: PendingEvent): void;
  /** Tries at once, and resolves when everything pushed so far is dealt with or the store has refused once more. */
  attempt(): Promise<void>;
  /** Stops trying; answers how many events are given up. */
  abandon(): number;
}

/** What a writer is made of, and whom it tells. */
export interface StreamWriterOptions {
  readonly stream: string;
  readonly store: Store;
  readonly keyedHash: KeyedHash;
  readonly clock: Clock;
  /** The end of the stream as far as it is known. */
  readonly head: AuditHead | undefined;
  /** Runs one attempt, when its turn has come. */
  readonly inTurn: <T>(attempt: () => Promise<T>) => Promise<T>;
  readonly onStored: (entry: AuditEntry) => void;
  /** The event can never be stored, whatever the state of the store. */
  readonly onUnusable: (pending: PendingEvent, cause: unknown) => void;
  /** The store has begun to refuse; the writer goes on trying. */
  readonly onUnavailable: (cause: unknown) => void;
  /** The stored stream is not what was written to it. */
  readonly onDamaged: (message: string) => void;
  /** Nothing is left to write. The writer is done with. */
  readonly onDrained: (head: AuditHead | undefined) => void;
}

/** What became of an attempt. `conflict`: another process was faster, or one of our own attempts has landed. */
type Outcome = 'settled' | 'conflict' | { readonly refused: unknown };

const firstRetryMs = 100;
const longestRetryMs = 30_000;
/** Chained in one go, which must not hold up the process. Fewer than every store takes, see {@link Store.append}. */
const batchEntries = 64;
const batchCharacters = 262_144;

/** Makes the writer of one stream. It starts with the first event that is pushed. */
export function createStreamWriter(options: StreamWriterOptions): StreamWriter {
  const { stream, store, keyedHash, clock } = options;
  const queue: PendingEvent[] = [];
  const waiters = createQueueWaiters();
  let head = options.head;
  /** Where the first events of the queue have been sent, and may have landed without our knowing. */
  let sentAt: number | undefined;
  /** Where the store has last answered that the stream does not end just before. */
  let refusedAt: number | undefined;
  let running = false;
  let wake: (() => void) | undefined;

  return {
    push(pending) {
      queue.push(pending);
      if (!running) {
        running = true;
        void drain();
      }
    },

    attempt() {
      if (queue.length === 0) return Promise.resolve();
      wake?.();
      return waiters.wait(queue.length);
    },

    abandon() {
      const left = queue.length;
      queue.length = 0;
      waiters.release();
      wake?.();
      return left;
    },
  };

  async function drain(): Promise<void> {
    await gathered();
    let refusals = 0;
    while (queue.length > 0) {
      const outcome = await options.inTurn(writeOnce);
      if (outcome === 'settled') refusals = 0;
      if (typeof outcome === 'string') continue;
      if (refusals === 0) options.onUnavailable(outcome.refused);
      const wait = waitBeforeRetry(refusals);
      refusals += 1;
      waiters.release();
      await wait;
    }
    running = false;
    options.onDrained(head);
  }

  /** What is recorded in one turn of the event loop is stored together, unless somebody waits for it. */
  async function gathered(): Promise<void> {
    await new Promise<void>((resolve) => {
      wake = resolve;
      inNextTurn(resolve);
    });
    wake = undefined;
  }

  /** One attempt: learn the end of the stream, chain what waits to it, append. */
  async function writeOnce(): Promise<Outcome> {
    try {
      if (sentAt !== undefined || head === undefined) await catchUp();
      const batch = chainedBatch(head ?? { sequence: 0, hash: chainStart });
      const [first, last] = [batch.entries[0], batch.entries.at(-1)];
      if (first === undefined || last === undefined) return 'settled';
      sentAt = first.sequence;
      if (await store.append(stream, first.sequence, batch.texts)) {
        head = { sequence: last.sequence, hash: last.hash };
        settled(batch.entries);
        return 'settled';
      }
      // Refused twice at the place that is said to be the end: nothing is ahead of us, the store is wrong.
      if (refusedAt === sentAt) return { refused: undefined };
      refusedAt = sentAt;
      return 'conflict';
    } catch (refused) {
      return { refused };
    }
  }

  /** The first events of the queue, chained to `previous` and to each other. */
  function chainedBatch(previous: AuditHead) {
    const entries: AuditEntry[] = [];
    const texts: string[] = [];
    let { sequence, hash } = previous;
    let characters = 0;
    for (const pending of queue) {
      const { event, id, dropped } = pending;
      const gap = dropped === 0 ? {} : { dropped };
      try {
        const content = { ...event, ...gap, id, stream, sequence: sequence + 1 };
        const { entry, text } = chainEntry(keyedHash, hash, content);
        characters += text.length;
        if (entries.length > 0 && characters > batchCharacters) break;
        entries.push(entry);
        texts.push(text);
        ({ sequence, hash } = entry);
      } catch (cause) {
        // Trying again cannot help, and must not hold up the events behind it. Those before it are not stored yet.
        if (entries.length === 0) {
          options.onUnusable(pending, cause);
          dealtWith(pending, 1);
        }
        break;
      }
      if (entries.length === batchEntries) break;
    }
    return { entries, texts };
  }

  function settled(entries: readonly AuditEntry[]): void {
    sentAt = undefined;
    refusedAt = undefined;
    for (const entry of entries) options.onStored(entry);
    dealtWith(entries[0], entries.length);
  }

  function dealtWith(first: { readonly id: string } | undefined, count: number): void {
    // After `abandon` the queue is empty, or holds what came later.
    if (queue[0]?.id === first?.id) queue.splice(0, count);
    waiters.countDown(count);
  }

  /** Reads what stands from `sentAt` on: other processes' entries, or our own if an append has landed after all. */
  async function catchUp(): Promise<void> {
    const landed: AuditEntry[] = [];
    let newest: AuditHead | undefined;
    if (sentAt !== undefined)
      for await (const { sequence, value } of store.read(stream, sentAt)) {
        const entry = decodeEntry(value);
        if (entry !== undefined && entry.id === queue[landed.length]?.id) landed.push(entry);
        newest = headOf(sequence, entry);
      }
    if (newest === undefined) {
      const last = await store.last(stream);
      // It came since the reading, and may be our own.
      if (sentAt !== undefined && last !== undefined && last.sequence >= sentAt) return catchUp();
      newest =
        last === undefined
          ? { sequence: 0, hash: chainStart }
          : headOf(last.sequence, decodeEntry(last.value));
      if (head !== undefined && newest.sequence < head.sequence)
        options.onDamaged(`it ends at entry ${newest.sequence}, and had ${head.sequence} before`);
    }
    head = newest;
    if (landed.length > 0) settled(landed);
  }

  function headOf(sequence: number, entry: AuditEntry | undefined): AuditHead {
    if (entry !== undefined) return { sequence, hash: entry.hash };
    options.onDamaged(`its entry ${sequence} is not an audit entry`);
    return { sequence, hash: chainStart };
  }

  function waitBeforeRetry(refusals: number): Promise<void> {
    const longest = Math.min(firstRetryMs * 2 ** refusals, longestRetryMs);
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        wake = undefined;
        resolve();
      };
      // Jitter: streams that began to wait together do not come back together.
      const cancel = clock.schedule(done, longest * (0.5 + Math.random() / 2));
      wake = done;
    });
  }
}

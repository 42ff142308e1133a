import {
  type AuditEntry,
  type AuditHead,
  chainEntry,
  chainStart,
  decodeEntry,
  encodeEntry,
} from './audit-chain.ts';
import type { AuditEvent } from './audit-event.ts';
import type { Clock } from './clock.ts';
import type { KeyedHash } from './keyed-hash.ts';
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

type Outcome = 'settled' | 'conflict' | { readonly refused: unknown };

const firstRetryMs = 100;
const longestRetryMs = 30_000;

/** Makes the writer of one stream. It starts with the first event that is pushed. */
export function createStreamWriter(options: StreamWriterOptions): StreamWriter {
  const { stream, store, keyedHash, clock } = options;
  const queue: PendingEvent[] = [];
  const waiters = createQueueWaiters();
  let head = options.head;
  /** Where the first event of the queue has been sent, and may have landed without our knowing. */
  let sentAt: number | undefined;
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
    let refusals = 0;
    for (let pending = queue[0]; pending !== undefined; pending = queue[0]) {
      const current = pending;
      const outcome = await options.inTurn(() => writeOnce(current));
      if (outcome === 'conflict') continue;
      if (outcome === 'settled') {
        refusals = 0;
        sentAt = undefined;
        // After `abandon` the queue is empty, or already holds nothing of ours.
        if (queue[0] === current) queue.shift();
        waiters.countDown();
        continue;
      }
      if (refusals === 0) options.onUnavailable(outcome.refused);
      const wait = waitBeforeRetry(refusals);
      refusals += 1;
      waiters.release();
      await wait;
    }
    running = false;
    options.onDrained(head);
  }

  /** One attempt: learn the end of the stream, chain the event to it, append. */
  async function writeOnce(pending: PendingEvent): Promise<Outcome> {
    try {
      if (sentAt !== undefined || head === undefined) {
        const landed = await catchUp(pending);
        if (landed !== undefined) return settled(landed);
      }
      const entry = await chained(pending, head ?? { sequence: 0, hash: chainStart });
      if (entry === undefined) return 'settled';
      const { sequence } = entry;
      const triedBefore = sentAt === sequence;
      sentAt = sequence;
      if (await store.append(stream, sequence, encodeEntry(entry))) return settled(entry);
      // Refused twice at the place that is said to be the end: no other process is ahead of us, the store is wrong.
      return triedBefore ? { refused: undefined } : 'conflict';
    } catch (refused) {
      return { refused };
    }
  }

  async function chained(
    { event, id, dropped }: PendingEvent,
    previous: AuditHead,
  ): Promise<AuditEntry | undefined> {
    const gap = dropped === 0 ? {} : { dropped };
    const content = { ...event, ...gap, id, stream, sequence: previous.sequence + 1 };
    try {
      return await chainEntry(keyedHash, previous.hash, content);
    } catch (cause) {
      // Trying again cannot help, and must not hold up the events behind it.
      options.onUnusable({ id, event, dropped }, cause);
      return undefined;
    }
  }

  function settled(entry: AuditEntry): Outcome {
    if (head === undefined || entry.sequence > head.sequence)
      head = { sequence: entry.sequence, hash: entry.hash };
    options.onStored(entry);
    return 'settled';
  }

  /** Reads what stands from `sentAt` on: other processes' entries, or our own if an errored append has landed. */
  async function catchUp(pending: PendingEvent): Promise<AuditEntry | undefined> {
    let own: AuditEntry | undefined;
    let newest: AuditHead | undefined;
    if (sentAt !== undefined)
      for await (const { sequence, value } of store.read(stream, sentAt)) {
        const entry = decodeEntry(value);
        if (entry?.id === pending.id) own = entry;
        newest = headOf(sequence, entry);
      }
    if (newest === undefined) {
      const last = await store.last(stream);
      newest =
        last === undefined
          ? { sequence: 0, hash: chainStart }
          : headOf(last.sequence, decodeEntry(last.value));
      if (head !== undefined && newest.sequence < head.sequence)
        options.onDamaged(`it ends at entry ${newest.sequence}, and had ${head.sequence} before`);
    }
    head = newest;
    return own;
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

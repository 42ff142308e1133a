import type { AuditEntry } from './audit-chain.ts';
import { type Clock, sleep } from './clock.ts';
import { createQueueWaiters } from './queue-waiters.ts';

/** A further place that receives every entry this process has stored. */
export interface AuditSink {
  readonly name: string;
  /**
   * What holds while it fails:
   *
   * - `continue` (default): the entry is lost to this sink, which is reported, and the next one follows.
   * - `stop`: the entry is kept and tried again, and until the sink has taken it nothing is done in anybody's name:
   *   calls are refused with `audit_unavailable`.
   */
  readonly whenFailing?: 'continue' | 'stop';
  /** Called with one entry at a time, each stream in its order. Nobody waits for it. */
  write(entry: AuditEntry): void | Promise<void>;
}

/** Feeds one sink in order, so that a slow one holds up neither the store nor the other sinks. */
export interface SinkFeed {
  offer(entry: AuditEntry): void;
  /** Resolves when everything offered so far has been given to the sink, or it has refused once more. */
  settled(): Promise<void>;
  /** Stops trying; answers how many entries the sink has not taken. */
  abandon(): number;
}

/** Whom a feed tells. */
export interface SinkFeedEvents {
  /** An entry is lost to the sink, or the sink has begun to fail. */
  readonly report: (entry: AuditEntry, message: string, cause?: unknown) => void;
  /** Whether a sink that must not fail does. */
  readonly failing: (isFailing: boolean) => void;
}

const firstRetryMs = 500;
const longestRetryMs = 30_000;
/** A sink that has not answered for so long counts as failing. */
const answerMs = 5000;

/** Makes the feed of `sink`; at most `limit` entries wait for it, and what goes beyond is reported as lost to it. */
export function createSinkFeed(
  sink: AuditSink,
  { limit, clock }: { readonly limit: number; readonly clock: Clock },
  events: SinkFeedEvents,
): SinkFeed {
  const mustTake = sink.whenFailing === 'stop';
  const queue: AuditEntry[] = [];
  const waiters = createQueueWaiters();
  let running = false;
  let stopWaiting = new AbortController();

  async function drain(): Promise<void> {
    // A turn later: whoever records does not wait for the sink, not even for its first line.
    await undefined;
    let refusals = 0;
    for (let entry = queue[0]; entry !== undefined; entry = queue[0]) {
      const cause = await refusalOf(entry);
      if (cause === undefined) {
        refusals = 0;
        if (mustTake) events.failing(false);
        taken(entry);
        continue;
      }
      if (refusals === 0)
        events.report(entry, `sink "${sink.name}" refused entry ${entry.sequence}`, cause.error);
      if (!mustTake) {
        taken(entry);
        continue;
      }
      events.failing(true);
      waiters.release();
      await pause(Math.min(firstRetryMs * 2 ** refusals, longestRetryMs));
      refusals += 1;
    }
    running = false;
  }

  async function refusalOf(entry: AuditEntry): Promise<{ readonly error: unknown } | undefined> {
    const late = mustTake ? clock.schedule(() => events.failing(true), answerMs) : undefined;
    try {
      await sink.write(entry);
      return undefined;
    } catch (error) {
      return { error };
    } finally {
      late?.();
    }
  }

  function pause(delayMs: number): Promise<void> {
    stopWaiting = new AbortController();
    // Ended early by who flushes: that is an attempt, too.
    return sleep(clock, delayMs, stopWaiting.signal).catch(() => undefined);
  }

  function taken(entry: AuditEntry): void {
    // After `abandon` the queue is empty, or holds what came later.
    if (queue[0] === entry) queue.shift();
    waiters.countDown(1);
  }

  return {
    offer(entry) {
      if (queue.length >= limit) {
        if (mustTake) events.failing(true);
        return events.report(
          entry,
          `sink "${sink.name}" is behind; entry ${entry.sequence} skips it`,
        );
      }
      queue.push(entry);
      if (running) return;
      running = true;
      void drain();
    },
    settled() {
      if (queue.length === 0) return Promise.resolve();
      stopWaiting.abort();
      return waiters.wait(queue.length);
    },
    abandon() {
      const left = queue.length;
      queue.length = 0;
      waiters.release();
      stopWaiting.abort();
      return left;
    },
  };
}

import type { AuditEntry } from './audit-chain.ts';

/** A further place that receives every entry this process has stored. */
export interface AuditSink {
  readonly name: string;
  /** Called with one entry at a time, each stream in its order. A throw is reported, and the next entry follows. */
  write(entry: AuditEntry): void | Promise<void>;
}

/** Feeds one sink in order, so that a slow one holds up neither the store nor the other sinks. */
export interface SinkFeed {
  offer(entry: AuditEntry): void;
  /** Resolves when everything offered so far has been given to the sink. */
  settled(): Promise<void>;
}

/** Makes the feed of `sink`; at most `limit` entries wait for it, and what goes beyond is reported as lost to it. */
export function createSinkFeed(
  sink: AuditSink,
  limit: number,
  report: (entry: AuditEntry, message: string, cause?: unknown) => void,
): SinkFeed {
  let waiting = 0;
  let tail: Promise<void> = Promise.resolve();

  async function deliver(previous: Promise<void>, entry: AuditEntry): Promise<void> {
    await previous;
    try {
      await sink.write(entry);
    } catch (cause) {
      report(entry, `sink "${sink.name}" refused entry ${entry.sequence}`, cause);
    }
    waiting -= 1;
  }

  return {
    offer(entry) {
      if (waiting >= limit)
        return report(entry, `sink "${sink.name}" is behind; entry ${entry.sequence} skips it`);
      waiting += 1;
      tail = deliver(tail, entry);
    },
    settled: () => tail,
  };
}

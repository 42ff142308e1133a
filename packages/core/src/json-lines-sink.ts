import { type AuditEntry, encodeEntry } from './audit-chain.ts';
import type { AuditSink } from './audit-sink.ts';

/**
 * A sink that writes each entry as one line of JSON: to a log shipper, a stream, an object store. For a file on this
 * host there is `fileSink` in `@outlive/core/node`.
 *
 * The lines are exactly what the store holds: same text, same hash.
 */
export function jsonLinesSink(options: {
  readonly name?: string;
  readonly whenFailing?: AuditSink['whenFailing'];
  /** Takes one line, with its line feed. */
  readonly write: (line: string) => void | Promise<void>;
}): AuditSink {
  const { name = 'json-lines', whenFailing = 'continue', write } = options;
  return { name, whenFailing, write: (entry: AuditEntry) => write(`${encodeEntry(entry)}\n`) };
}

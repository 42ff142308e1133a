import { open } from 'node:fs/promises';
import type { AuditSink } from '../audit-sink.ts';
import { ConfigurationError } from '../errors.ts';
import { jsonLinesSink } from '../json-lines-sink.ts';

/** What {@link fileSink} takes. */
export interface FileSinkOptions {
  /** Made with mode 0600 if it is not there. Several processes may append to one file on a local disk. */
  readonly file: string;
  /** Default `file`. */
  readonly name?: string;
  /** Default `continue`. */
  readonly whenFailing?: AuditSink['whenFailing'];
  /** Whether each line is on the disk before the next is written. Default `false`: the system decides. */
  readonly sync?: boolean;
}

/**
 * An audit sink that appends JSON lines to a file. The file is opened for each line, so that it can be moved away and
 * rotated at any time.
 *
 * A process that dies in the middle of a line leaves half of one: a reader skips what is no JSON.
 *
 * @throws {ConfigurationError} when `file` is no path.
 */
export function fileSink(options: FileSinkOptions): AuditSink {
  const { file, name = 'file', sync = false } = options;
  if (typeof file !== 'string' || file === '')
    throw new ConfigurationError('fileSink: file: expected a path; got nothing', ['file']);
  return jsonLinesSink({
    name,
    ...(options.whenFailing === undefined ? {} : { whenFailing: options.whenFailing }),
    async write(line) {
      await using handle = await open(file, 'a', 0o600);
      await handle.appendFile(line);
      if (sync) await handle.datasync();
    },
  });
}

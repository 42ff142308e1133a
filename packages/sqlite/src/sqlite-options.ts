import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigurationError } from '@outlive/core';

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions {
  /** The database file, on a local disk. Created if it does not exist; its folder must exist. */
  readonly path: string;
  /** How long an operation waits, without blocking the process, for the lock of another process. Default 10 000 ms. */
  readonly busyTimeoutMs?: number | undefined;
  /** How often to look for writes of other processes while somebody watches. Default 5 ms. */
  readonly watchPollMs?: number | undefined;
}

const known = new Set(['path', 'busyTimeoutMs', 'watchPollMs']);
const longestTimerMs = 2 ** 31 - 1;

/**
 * The options, complete.
 *
 * @throws ConfigurationError naming the option that is wrong.
 */
export function validOptions(
  options: SqliteStoreOptions,
): Required<Record<'busyTimeoutMs' | 'watchPollMs', number>> & { path: string } {
  if (typeof options !== 'object' || options === null)
    throw refusal('options', 'an object with a `path`', options);
  for (const name of Object.keys(options))
    if (!known.has(name)) throw refusal(name, `one of ${[...known].join(', ')}`, name);
  return {
    path: validPath(options.path),
    busyTimeoutMs: validMs('busyTimeoutMs', options.busyTimeoutMs ?? 10_000, 0),
    watchPollMs: validMs('watchPollMs', options.watchPollMs ?? 5, 1),
  };
}

function validPath(path: unknown): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0'))
    throw refusal('path', 'the path of a file', path);
  if (path === ':memory:' || path.startsWith('file:'))
    throw refusal(
      'path',
      'the path of a file (for a store in memory use memoryStore() of @outlive/core)',
      path,
    );
  // Resolved once: a later chdir must not move the store.
  const absolute = resolve(path);
  if (isFolder(dirname(absolute)) !== true)
    throw refusal('path', 'a file in a folder that exists (create the folder first)', path);
  if (isFolder(absolute)) throw refusal('path', 'the path of a file, not of a folder', path);
  return absolute;
}

function isFolder(path: string): boolean | undefined {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory();
}

function validMs(name: string, value: unknown, least: number): number {
  if (typeof value === 'number' && value >= least && value <= longestTimerMs) return value;
  throw refusal(name, `a number of milliseconds from ${least} to ${longestTimerMs}`, value);
}

function refusal(name: string, expected: string, came: unknown): ConfigurationError {
  const shown = typeof came === 'string' ? JSON.stringify(came) : String(came);
  return new ConfigurationError(`sqliteStore: ${name} must be ${expected}; got ${shown}`, [name]);
}

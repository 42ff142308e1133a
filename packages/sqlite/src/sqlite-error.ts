import { StoreError } from '@outlive/core';

// Primary result codes, https://sqlite.org/rescode.html
const sqlError = 1;
const busy = 5;
const locked = 6;
const readOnly = 8;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const tooBig = 18;
const notADatabase = 26;

/** Whether `error` is SQLite saying that another connection holds the lock: nothing was done, trying again is safe. */
export function isBusy(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code === busy || code === locked;
}

/** What an error of `node:sqlite` means to the user of the store; any other error comes back as it is. */
export function storeErrorFrom(cause: unknown, path: string): unknown {
  const code = resultCodeOf(cause);
  switch (code) {
    case undefined:
      return cause;
    case readOnly:
      return readOnlyError(path, { cause });
    case sqlError: // Every statement is ours: what SQLite misses is a table or column that should be there.
    case corrupt:
    case notADatabase:
      return new StoreError(
        'corrupt',
        `${path} is damaged, or not a SQLite database. Nothing was overwritten. ` +
          'Restore it from a backup, or point `path` at another file.',
        { cause },
      );
    case full:
      return new StoreError(
        'full',
        `No space left to write to ${path}; nothing was written. Free disk space, then try again.`,
        { cause },
      );
    case cannotOpen:
      return new StoreError(
        'unavailable',
        `${path} cannot be opened; nothing was written. ` +
          'Check that its folder exists and that this process may read and write both.',
        { cause },
      );
    case tooBig:
      return new RangeError(
        'The key or the value is larger than SQLite can store (1 GB); nothing was written.',
        { cause },
      );
    default:
      return new StoreError(
        'unavailable',
        `SQLite failed on ${path} (result code ${code}). A write may or may not have happened: ` +
          'read again. Check the disk and the system log.',
        { cause },
      );
  }
}

/** The store refuses writes because this process may not write to the file or its folder. */
export function readOnlyError(path: string, options?: ErrorOptions): StoreError {
  return new StoreError(
    'read_only',
    `${path} cannot be written; nothing was changed. ` +
      'Make the file and its folder (SQLite keeps a -wal and a -shm file beside it) writable.',
    options,
  );
}

/** Why the operating system did not create the file. */
export function creationError(cause: unknown, path: string): StoreError {
  switch (systemCode(cause)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return readOnlyError(path, { cause });
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError('full', `No space left to create ${path}. Free disk space.`, { cause });
    default:
      return new StoreError(
        'unavailable',
        `${path} cannot be created; nothing was written. Check that its folder exists.`,
        { cause },
      );
  }
}

/** The code of an error of the operating system, e.g. `EEXIST`. */
export function systemCode(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function resultCodeOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  // The low byte is the primary code; the rest only refines it.
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

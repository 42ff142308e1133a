import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '@outlive/core';
import { migrate } from './schema.ts';
import { creationError, readOnlyError, systemCode } from './sqlite-error.ts';

/**
 * Opens the file, creating it if need be, ready for use: private, of this application, in WAL mode, migrated.
 *
 * Waits for nobody: when another process holds the lock, SQLite's busy error comes out and the caller tries
 * the whole of it again, which is safe.
 *
 * @throws StoreError saying what is wrong with the file.
 */
export function openDatabase(path: string): DatabaseSync {
  createPrivateFile(path);
  assertWritable(path);
  const database = new DatabaseSync(path);
  try {
    // Waiting inside SQLite would block the event loop: `Connection` waits outside it.
    database.exec('PRAGMA busy_timeout = 0');
    database.exec('PRAGMA trusted_schema = OFF');
    // `fullfsync` matters on macOS only, where fsync alone does not reach the disk.
    database.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON');
    migrate(database, path);
    useWriteAheadLog(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite would create the file for everybody to read; the -wal and -shm files then take the mode of this one. */
function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw creationError(error, path);
  }
}

/** Asked before SQLite is: it would open the file for reading, and only the first write would tell. */
function assertWritable(path: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw readOnlyError(path, { cause: error });
  }
}

function useWriteAheadLog(database: DatabaseSync, path: string): void {
  const row = database.prepare('PRAGMA journal_mode = WAL').get() as { journal_mode: string };
  if (row.journal_mode === 'wal') return;
  throw new StoreError(
    'unavailable',
    `The file system of ${path} has no shared memory for SQLite's write-ahead log (journal mode ` +
      `stays ${row.journal_mode}). Put the file on a local disk, not on a network share.`,
  );
}

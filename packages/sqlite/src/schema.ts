import type { DatabaseSync } from 'node:sqlite';
import { StoreError } from '@outlive/core';

/** `PRAGMA application_id` of a file of this store: `OTLV`. */
const applicationId = 0x4f_54_4c_56;

// `value` comes last so that reading the other columns never walks the overflow pages of a large one.
const firstSchema = `
  CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL CHECK (version > 0),
    kind TEXT NOT NULL,
    status TEXT,
    subject TEXT,
    task_id TEXT,
    due_at REAL,
    value TEXT
  ) STRICT;
  CREATE INDEX record_by_kind ON record (kind) WHERE value IS NOT NULL;
  CREATE INDEX record_by_status ON record (kind, status)
    WHERE value IS NOT NULL AND status IS NOT NULL;
  CREATE INDEX record_by_subject ON record (kind, subject)
    WHERE value IS NOT NULL AND subject IS NOT NULL;
  CREATE INDEX record_by_task ON record (kind, task_id)
    WHERE value IS NOT NULL AND task_id IS NOT NULL;
  CREATE INDEX record_by_due ON record (kind, due_at)
    WHERE value IS NOT NULL AND due_at IS NOT NULL;
  CREATE TABLE stream_entry (
    stream TEXT NOT NULL,
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    value TEXT NOT NULL,
    PRIMARY KEY (stream, sequence)
  ) STRICT, WITHOUT ROWID;
`;

/** Each brings a file from schema version (its position) to the next; `PRAGMA user_version` keeps the count. */
const migrations: readonly string[] = [firstSchema];

/**
 * Brings the file to the schema of this driver, once, however many processes open it at the same instant.
 *
 * @throws StoreError `newer_schema` or `corrupt` (another application's file), before anything is written.
 */
export function migrate(database: DatabaseSync, path: string): void {
  if (transaction(database, 'DEFERRED', () => schemaVersion(database, path)) === migrations.length)
    return;
  // Asked again under the write lock: another process may just have done it.
  transaction(database, 'IMMEDIATE', () => {
    const pending = migrations.slice(schemaVersion(database, path));
    if (pending.length === 0) return;
    for (const migration of pending) database.exec(migration);
    database.exec(`PRAGMA application_id = ${applicationId}`);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

/** Runs inside a transaction: the three answers must come from the same moment. */
function schemaVersion(database: DatabaseSync, path: string): number {
  const { owner, version, objects } = database
    .prepare(
      `SELECT application_id AS owner, user_version AS version,
        (SELECT count(*) FROM sqlite_schema) AS objects
       FROM pragma_application_id, pragma_user_version`,
    )
    .get() as { owner: number; version: number; objects: number };
  if (owner === applicationId) {
    if (version <= migrations.length) return version;
    throw new StoreError(
      'newer_schema',
      `${path} has schema version ${version}; this version of @outlive/sqlite knows up to ` +
        `${migrations.length}. Nothing was changed. Upgrade @outlive/sqlite in this process.`,
    );
  }
  if (owner === 0 && version === 0 && objects === 0) return 0;
  throw new StoreError(
    'corrupt',
    `${path} is a SQLite database of another application (application_id ${owner}, ${objects} ` +
      'schema objects). Nothing was changed. Give the store a file of its own.',
  );
}

function transaction<T>(database: DatabaseSync, mode: 'DEFERRED' | 'IMMEDIATE', work: () => T): T {
  database.exec(`BEGIN ${mode}`);
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite has already rolled back after some errors, e.g. a full disk.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

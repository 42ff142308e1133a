import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type {
  ListedRecord,
  RecordIndex,
  RecordKind,
  RecordQuery,
  StoredRecord,
  StreamEntry,
} from '@outlive/core';

/** Where a page of `list` ended. */
export interface ListCursor {
  readonly id: number;
  readonly dueAt: number;
}

/** One page of `list`; `next` is absent on the last. */
export interface ListPage {
  readonly records: readonly ListedRecord[];
  readonly next?: ListCursor;
}

/** One page of `read`; `next` is the sequence at which the next page starts, absent on the last. */
export interface StreamPage {
  readonly entries: readonly StreamEntry[];
  readonly next?: number;
}

/** The store's operations, each one prepared SQL statement: atomic by itself, and over before it returns. */
export interface Statements {
  get(key: string): StoredRecord | undefined;
  compareAndSwap(
    key: string,
    expectedVersion: number,
    value: string | null,
    index: RecordIndex,
  ): boolean;
  list(query: RecordQuery, after: ListCursor | undefined): ListPage;
  append(stream: string, expectedSequence: number, values: readonly string[]): boolean;
  read(stream: string, fromSequence: number): StreamPage;
  last(stream: string): StreamEntry | undefined;
  forget(key: string, version: number): boolean;
  trim(stream: string, fromSequence: number): void;
  /** 0 for a key that was never written. */
  recordVersion(key: string): number;
  /** A number that differs from the last one if another connection has written since. */
  dataVersion(): number;
}

/** How many records or entries one step of `list` or `read` takes before it lets others run. */
const pageSize = 128;

// Type aliases, not interfaces: only they can be compared with the index signature of what SQLite answers.
type IndexRow = {
  readonly kind: RecordKind;
  readonly status: string | null;
  readonly subject: string | null;
  readonly task_id: string | null;
  readonly due_at: number | null;
};
type RecordRow = IndexRow & { readonly version: number; readonly value: string | null };
type ListRow = IndexRow & { readonly id: number; readonly key: string; readonly version: number };
type EntryRow = { readonly sequence: number; readonly value: string };

/** Prepares every statement once. */
export function prepareStatements(database: DatabaseSync): Statements {
  const get = database.prepare(
    `SELECT version, value, kind, status, subject, task_id, due_at FROM record WHERE key = ?`,
  );
  const insert = database.prepare(
    `INSERT INTO record (key, version, value, kind, status, subject, task_id, due_at)
     VALUES (?, 1, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const update = database.prepare(
    `UPDATE record SET version = version + 1, value = ?, kind = ?, status = ?, subject = ?,
       task_id = ?, due_at = ? WHERE key = ? AND version = ?`,
  );
  const append = database.prepare(
    `INSERT INTO stream_entry (stream, sequence, value) SELECT ?1, ?2 + key, value FROM json_each(?3)
     WHERE ?2 = 1 + coalesce((SELECT max(sequence) FROM stream_entry WHERE stream = ?1), 0)`,
  );
  const read = database.prepare(
    `SELECT sequence, value FROM stream_entry WHERE stream = ? AND sequence >= ?
     ORDER BY sequence LIMIT ${pageSize}`,
  );
  const last = database.prepare(
    `SELECT sequence, value FROM stream_entry WHERE stream = ? ORDER BY sequence DESC LIMIT 1`,
  );
  const forget = database.prepare('DELETE FROM record WHERE key = ? AND version = ?');
  const trim = database.prepare('DELETE FROM stream_entry WHERE stream = ? AND sequence < ?');
  const recordVersion = database.prepare('SELECT version FROM record WHERE key = ?');
  const dataVersion = database.prepare('PRAGMA data_version');
  const lists = new Map<string, StatementSync>();

  return {
    get(key) {
      const row = get.get(key) as RecordRow | undefined;
      return row && { version: row.version, value: row.value, index: indexFrom(row) };
    },

    compareAndSwap(key, expectedVersion, value, index) {
      const columns = [
        value,
        index.kind,
        index.status ?? null,
        index.subject ?? null,
        index.taskId ?? null,
        index.dueAt ?? null,
      ] as const;
      const { changes } =
        expectedVersion === 0
          ? insert.run(key, ...columns)
          : update.run(...columns, key, expectedVersion);
      return changes === 1;
    },

    list(query, after) {
      const { sql, values } = listStatement(query, after);
      const statement = lists.get(sql) ?? database.prepare(sql);
      lists.set(sql, statement);
      const rows = statement.all(values) as ListRow[];
      const lastRow = rows.at(-1);
      return {
        records: rows.map((row) => ({
          key: row.key,
          version: row.version,
          index: indexFrom(row),
        })),
        ...(rows.length === pageSize && lastRow !== undefined
          ? { next: { id: lastRow.id, dueAt: lastRow.due_at ?? 0 } }
          : {}),
      };
    },

    append: (stream, expectedSequence, values) =>
      append.run(stream, expectedSequence, JSON.stringify(values)).changes !== 0,

    read(stream, fromSequence) {
      const entries = (read.all(stream, fromSequence) as EntryRow[]).map(entryFrom);
      const lastEntry = entries.at(-1);
      return entries.length === pageSize && lastEntry !== undefined
        ? { entries, next: lastEntry.sequence + 1 }
        : { entries };
    },

    last(stream) {
      const row = last.get(stream) as EntryRow | undefined;
      return row && entryFrom(row);
    },

    forget: (key, version) => forget.run(key, version).changes === 1,

    trim(stream, fromSequence) {
      trim.run(stream, fromSequence);
    },

    recordVersion: (key) =>
      (recordVersion.get(key) as { version: number } | undefined)?.version ?? 0,

    dataVersion: () => (dataVersion.get() as { data_version: number }).data_version,
  };
}

/**
 * One of a few dozen statements, each on a partial index named outright, since without statistics the planner
 * might choose by chance. A page starts after the last record of the page before: nothing stays open between.
 */
function listStatement(
  query: RecordQuery,
  after: ListCursor | undefined,
): { sql: string; values: Record<string, string | number> } {
  const conditions = ['value IS NOT NULL', 'kind = $kind'];
  const values: Record<string, string | number> = { $kind: query.kind };
  const narrow = (condition: string, parameter: string, value: string | number | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values[parameter] = value;
  };
  narrow('status = $status', '$status', query.status);
  narrow('subject = $subject', '$subject', query.subject);
  narrow('task_id = $taskId', '$taskId', query.taskId);
  narrow('due_at <= $dueBefore', '$dueBefore', query.dueBefore);
  const byDue = query.dueBefore !== undefined;
  if (byDue) {
    narrow('due_at >= $afterDue', '$afterDue', after?.dueAt);
    narrow('(due_at, id) > ($afterDue, $afterId)', '$afterId', after?.id);
  } else narrow('id > $afterId', '$afterId', after?.id);
  return {
    sql: `SELECT id, key, version, kind, status, subject, task_id, due_at
      FROM record INDEXED BY ${listIndex(query)} WHERE ${conditions.join(' AND ')}
      ORDER BY ${byDue ? 'due_at, id' : 'id'} LIMIT ${pageSize}`,
    values,
  };
}

function listIndex(query: RecordQuery): string {
  if (query.taskId !== undefined) return 'record_by_task';
  if (query.subject !== undefined) return 'record_by_subject';
  if (query.dueBefore !== undefined) return 'record_by_due';
  if (query.status !== undefined) return 'record_by_status';
  return 'record_by_kind';
}

/** Rows of SQLite have no prototype, which would show when they are compared or serialized. */
const entryFrom = ({ sequence, value }: EntryRow): StreamEntry => ({ sequence, value });

function indexFrom(row: IndexRow): RecordIndex {
  return {
    kind: row.kind,
    ...(row.status === null ? {} : { status: row.status }),
    ...(row.subject === null ? {} : { subject: row.subject }),
    ...(row.task_id === null ? {} : { taskId: row.task_id }),
    ...(row.due_at === null ? {} : { dueAt: row.due_at }),
  };
}

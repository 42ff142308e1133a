import type { ListedRecord, RecordIndex, RecordKind, StreamEntry } from '@outlive/core';

/** A row as `pg` answers it. Its users may have changed how it reads numbers, so these are read from any form. */
export type Row = Readonly<Record<string, unknown>>;

/** The index of a record. */
export function indexFrom(row: Row): RecordIndex {
  const status = textFrom(row['status']);
  const subject = textFrom(row['subject']);
  const taskId = textFrom(row['task_id']);
  const dueAt = row['due_at'];
  return {
    // Nobody else writes this column.
    kind: String(row['kind']) as RecordKind,
    ...(status === null ? {} : { status }),
    ...(subject === null ? {} : { subject }),
    ...(taskId === null ? {} : { taskId }),
    ...(dueAt === null ? {} : { dueAt: Number(dueAt) }),
  };
}

/** What `list` yields of a record. */
export function listedFrom(row: Row): ListedRecord {
  return { key: String(row['key']), version: Number(row['version']), index: indexFrom(row) };
}

/** An entry of a stream. */
export function entryFrom(row: Row): StreamEntry {
  return { sequence: Number(row['sequence']), value: String(row['value']) };
}

/** A text that may be absent. */
export function textFrom(value: unknown): string | null {
  return value === null ? null : String(value);
}

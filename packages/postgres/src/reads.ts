import type {
  ListedRecord,
  RecordIndex,
  RecordQuery,
  StoredRecord,
  StreamEntry,
} from '@outlive/core';
import { readOnlyError } from './postgres-error.ts';
import type { PostgresPoolClient } from './postgres-pool.ts';
import { entryFrom, indexFrom, listedFrom, type Row, textFrom } from './rows.ts';
import type { Tables } from './schema.ts';

/** How many records or entries one step of `list` or `read` takes. */
const pageSize = 256;

/** Some of what was asked for; `next` is where the rest begins, absent at the end. */
export interface Page<Item, Next> {
  readonly items: readonly Item[];
  readonly next?: Next;
}

/** Where a page of `list` ended. */
export interface ListCursor {
  readonly id: string;
  readonly dueAt: number;
}

/** The records at `keys`, by key; those that were never written are `undefined`. */
export async function readRecordsAt(
  client: PostgresPoolClient,
  tables: Tables,
  keys: readonly string[],
): Promise<ReadonlyMap<string, StoredRecord | undefined>> {
  const select = `SELECT key, version, value, kind, status, subject, task_id, due_at
    FROM ${tables.record} WHERE key = ANY($1::text[])`;
  const found = new Map<string, StoredRecord | undefined>(keys.map((key) => [key, undefined]));
  for (const row of await rowsOf(client, select, '', [keys]))
    found.set(String(row['key']), recordFrom(row));
  return found;
}

function recordFrom(row: Row): StoredRecord {
  return {
    version: Number(row['version']),
    value: textFrom(row['value']),
    index: indexFrom(row),
  };
}

/** A page of the records that match `query`. It starts after the last record of the page before: nothing stays open. */
export async function readRecords(
  client: PostgresPoolClient,
  tables: Tables,
  query: RecordQuery,
  after: ListCursor | undefined,
): Promise<Page<ListedRecord, ListCursor>> {
  const { text, order, values } = listStatement(tables, query, after);
  const rows = await rowsOf(client, text, order, values);
  const last = rows.at(-1);
  const items = rows.map(listedFrom);
  if (rows.length < pageSize || last === undefined) return { items };
  return { items, next: { id: String(last['id']), dueAt: Number(last['due_at']) } };
}

/** The statement of {@link readRecords}: each kind of query has an index that is in its order. */
export function listStatement(
  tables: Tables,
  query: RecordQuery,
  after: ListCursor | undefined,
): { readonly text: string; readonly order: string; readonly values: unknown[] } {
  const values: unknown[] = [];
  const conditions = ['value IS NOT NULL'];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const narrow = (column: keyof typeof columns): void => {
    const value = query[columns[column]];
    if (value !== undefined) conditions.push(`${column} = ${parameter(value)}`);
  };
  for (const column of ['kind', 'status', 'subject', 'task_id'] as const) narrow(column);
  const byDue = query.dueBefore !== undefined;
  if (byDue) conditions.push(`due_at <= ${parameter(query.dueBefore)}`);
  if (after !== undefined)
    conditions.push(
      byDue
        ? `(due_at, id) > (${parameter(after.dueAt)}, ${parameter(after.id)})`
        : `id > ${parameter(after.id)}`,
    );
  const order = `ORDER BY ${byDue ? 'due_at, id' : 'id'}`;
  return {
    text: `SELECT id, key, version, kind, status, subject, task_id, due_at
      FROM ${tables.record} WHERE ${conditions.join(' AND ')} ${order} LIMIT ${pageSize}`,
    order,
    values,
  };
}

const columns = {
  kind: 'kind',
  status: 'status',
  subject: 'subject',
  task_id: 'taskId',
} as const satisfies Record<string, keyof RecordIndex>;

/** A page of the entries of `stream` from `fromSequence` on. */
export async function readEntries(
  client: PostgresPoolClient,
  tables: Tables,
  stream: string,
  fromSequence: number,
): Promise<Page<StreamEntry, number>> {
  const select = `SELECT sequence, value FROM ${tables.streamEntry}
    WHERE stream = $1 AND sequence >= $2 ORDER BY sequence LIMIT ${pageSize}`;
  // A fraction is between two sequences, and the first that exists is 1.
  const from = Math.max(1, Math.ceil(fromSequence));
  const items = (await rowsOf(client, select, 'ORDER BY sequence', [stream, from])).map(entryFrom);
  const last = items.at(-1);
  return items.length < pageSize || last === undefined
    ? { items }
    : { items, next: last.sequence + 1 };
}

/** The newest entry of `stream`. */
export async function readLastEntry(
  client: PostgresPoolClient,
  tables: Tables,
  stream: string,
): Promise<StreamEntry | undefined> {
  const select = `SELECT sequence, value FROM ${tables.streamEntry}
    WHERE stream = $1 ORDER BY sequence DESC LIMIT 1`;
  const [row] = await rowsOf(client, select, '', [stream]);
  return row && entryFrom(row);
}

/** What is watched, and the versions seen: a record's, or the newest sequence of a stream; 0 for what is not there. */
export async function readVersions(
  client: PostgresPoolClient,
  tables: Tables,
  keys: readonly string[],
  streams: readonly string[],
): Promise<{ readonly keys: Map<string, number>; readonly streams: Map<string, number> }> {
  const { rows } = await client.query(
    `SELECT 'key' AS space, key AS name, version FROM ${tables.record} WHERE key = ANY($1::text[])
     UNION ALL
     SELECT 'stream', name, newest.sequence FROM unnest($2::text[]) AS name,
       LATERAL (SELECT sequence FROM ${tables.streamEntry} WHERE stream = name
         ORDER BY sequence DESC LIMIT 1) AS newest`,
    [keys, streams],
  );
  const seen = {
    keys: new Map(keys.map((key) => [key, 0])),
    streams: new Map(streams.map((stream) => [stream, 0])),
  };
  for (const row of rows)
    seen[row['space'] === 'key' ? 'keys' : 'streams'].set(
      String(row['name']),
      Number(row['version']),
    );
  return seen;
}

/**
 * The rows of `select`, from the primary only. The same statement asks which server it is, since behind a pooler or a
 * proxy the next one may run on another.
 *
 * @param order as in `select`: a join does not promise to keep it.
 */
async function rowsOf(
  client: PostgresPoolClient,
  select: string,
  order: string,
  values: unknown[],
): Promise<readonly Row[]> {
  const { rows } = await client.query(
    `SELECT pg_is_in_recovery()::int AS standby, page.* FROM (VALUES (1)) AS always
     LEFT JOIN (SELECT 1 AS found, selected.* FROM (${select}) AS selected) AS page ON true ${order}`,
    values,
  );
  if (Number(rows[0]?.['standby']) !== 0) throw readOnlyError();
  return rows.filter((row) => row['found'] !== null);
}

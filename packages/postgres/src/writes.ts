import { createHash } from 'node:crypto';
import type { RecordIndex } from '@outlive/core';
import type { PostgresPoolClient } from './postgres-pool.ts';
import type { Tables } from './schema.ts';

/** What can be written and watched: a record by its key, or a stream by its name. */
export type Space = 'key' | 'stream';

/** The channel on which the writes of a store are told. */
export function channelOf(schema: string): string {
  return `outlive:${schema}`;
}

/** What stands for a record or a stream in a notification: a hash, since a payload is short and others can listen. */
export function topicOf(space: Space, name: string): string {
  return createHash('sha256').update(`${space} ${name}`).digest('base64url');
}

// Both last until the end of the statement's own transaction. A write whose caller gave up must not wait on for a lock and
// be done much later; and an acknowledged write is on the disk, also where the server's default is not to wait for that.
const settings = `settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', $1, true), set_config('synchronous_commit',
      CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, true))`;

/** Writes a record in one statement, which tells whoever watches in the same commit. */
export async function compareAndSwap(
  client: PostgresPoolClient,
  tables: Tables,
  lockTimeoutMs: number,
  write: {
    readonly key: string;
    readonly expectedVersion: number;
    readonly value: string | null;
    readonly index: RecordIndex;
  },
): Promise<boolean> {
  const { key, expectedVersion, value, index } = write;
  const swap =
    expectedVersion === 0
      ? `INSERT INTO ${tables.record}
           (key, version, value, kind, status, subject, task_id, due_at)
         SELECT $4::text, $5::bigint + 1, $6::text, $7::text, $8::text, $9::text, $10::text, $11::float8
         FROM settings ON CONFLICT (key) DO NOTHING RETURNING 1`
      : `UPDATE ${tables.record} SET version = version + 1, value = $6, kind = $7,
           status = $8, subject = $9, task_id = $10, due_at = $11
         FROM settings WHERE key = $4 AND version = $5 RETURNING 1`;
  return isWritten(client, `written AS (${swap})`, [
    String(lockTimeoutMs),
    channelOf(tables.schema),
    `${topicOf('key', key)} ${expectedVersion + 1}`,
    ...[key, expectedVersion, value, index.kind],
    ...[index.status ?? null, index.subject ?? null, index.taskId ?? null, index.dueAt ?? null],
  ]);
}

/** Appends entries in one statement, which tells whoever watches in the same commit. */
export async function append(
  client: PostgresPoolClient,
  tables: Tables,
  lockTimeoutMs: number,
  entries: {
    readonly stream: string;
    readonly firstSequence: number;
    readonly values: readonly string[];
  },
): Promise<boolean> {
  const { stream, firstSequence, values } = entries;
  // Of two writers that both saw the entry before, the second meets the primary key with its first entry, and then
  // must not insert the others, which may be more than the first writer had.
  const first = `INSERT INTO ${tables.streamEntry} (stream, sequence, value)
    SELECT $4::text, $5::bigint, ($6::text[])[1] FROM settings
    WHERE $5 = 1 + coalesce((SELECT max(sequence) FROM ${tables.streamEntry} WHERE stream = $4), 0)
    ON CONFLICT (stream, sequence) DO NOTHING RETURNING 1`;
  const others = `INSERT INTO ${tables.streamEntry} (stream, sequence, value)
    SELECT $4, $5 + place - 1, value
    FROM written, unnest($6) WITH ORDINALITY AS given (value, place) WHERE place > 1`;
  return isWritten(client, `written AS (${first}), others AS (${others})`, [
    String(lockTimeoutMs),
    channelOf(tables.schema),
    `${topicOf('stream', stream)} ${firstSequence + values.length - 1}`,
    ...[stream, firstSequence, values],
  ]);
}

/** Removes a record in one statement, which tells whoever watches in the same commit. */
export async function forget(
  client: PostgresPoolClient,
  tables: Tables,
  lockTimeoutMs: number,
  key: string,
  version: number,
): Promise<boolean> {
  const remove = `DELETE FROM ${tables.record} USING settings
    WHERE key = $4 AND version = $5 RETURNING 1`;
  return isWritten(client, `written AS (${remove})`, [
    String(lockTimeoutMs),
    channelOf(tables.schema),
    `${topicOf('key', key)} 0`,
    ...[key, version],
  ]);
}

/** Removes the entries of a stream below `fromSequence`. */
export async function trim(
  client: PostgresPoolClient,
  tables: Tables,
  stream: string,
  fromSequence: number,
): Promise<void> {
  await client.query(`DELETE FROM ${tables.streamEntry} WHERE stream = $1 AND sequence < $2`, [
    stream,
    Math.ceil(fromSequence),
  ]);
}

/** @param writes queries of a `WITH`; the one named `written` has a row if the write was done. */
async function isWritten(
  client: PostgresPoolClient,
  writes: string,
  values: unknown[],
): Promise<boolean> {
  const { rows } = await client.query(
    `WITH ${settings}, ${writes} SELECT pg_notify($2, $3) FROM written`,
    values,
  );
  return rows.length === 1;
}

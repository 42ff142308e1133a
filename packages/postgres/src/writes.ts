import { hash } from 'node:crypto';
import type { RecordIndex } from '@outlive/core';
import { endsConnection } from './postgres-error.ts';
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
  return hash('sha256', `${space} ${name}`, 'base64url');
}

// Both last until the end of the statement's own transaction. A write whose caller gave up must not wait on for a lock and
// be done much later; and an acknowledged write is on the disk, also where the server's default is not to wait for that.
const settings = `settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', $1, true), set_config('synchronous_commit',
      CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, true))`;

/** How long a statement of many waits for a lock that only one of them needs: another writer's commit takes no longer. */
const sharedLockTimeoutMs = 100;

/** A record to be written. */
export interface Swap {
  readonly key: string;
  readonly expectedVersion: number;
  readonly value: string | null;
  readonly index: RecordIndex;
}

/** Writes a record in one statement, which tells whoever watches in the same commit. */
export async function compareAndSwap(
  client: PostgresPoolClient,
  tables: Tables,
  lockTimeoutMs: number,
  write: Swap,
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

/**
 * Writes records of different keys in one statement, which tells whoever watches in the same commit. Answers the keys of
 * those that are written.
 *
 * It decides against nobody: a record whose version is another one, or which somebody holds locked, is left as it is, and so
 * are all where the server refuses the statement over one of them. Written alone, each of these gets its own answer.
 */
export async function compareAndSwapTogether(
  client: PostgresPoolClient,
  tables: Tables,
  lockTimeoutMs: number,
  writes: readonly Swap[],
): Promise<readonly string[]> {
  const column = <T>(of: (write: Swap) => T): T[] => writes.map(of);
  // In the order of the keys, so that of two such statements none waits for the other while it is waited for.
  const statement = `WITH ${settings},
    given AS MATERIALIZED (
      SELECT * FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::float8[],
        $11::text[]) AS given (key, version, value, kind, status, subject, task_id, due_at, told)),
    held AS MATERIALIZED (
      SELECT given.* FROM settings, given JOIN ${tables.record} AS record USING (key)
      WHERE given.version > 0 AND record.version = given.version
      ORDER BY key FOR UPDATE OF record SKIP LOCKED),
    swapped AS (
      UPDATE ${tables.record} AS record SET version = held.version + 1, value = held.value, kind = held.kind,
        status = held.status, subject = held.subject, task_id = held.task_id, due_at = held.due_at
      FROM held WHERE record.key = held.key AND record.version = held.version RETURNING record.key),
    created AS (
      INSERT INTO ${tables.record} (key, version, value, kind, status, subject, task_id, due_at)
      SELECT key, 1, value, kind, status, subject, task_id, due_at FROM settings, given
      WHERE given.version = 0 ORDER BY key ON CONFLICT (key) DO NOTHING RETURNING key),
    written AS (SELECT key FROM swapped UNION ALL SELECT key FROM created)
    SELECT key, pg_notify($2, told) FROM written JOIN given USING (key)`;
  const values = [
    String(Math.min(lockTimeoutMs, sharedLockTimeoutMs)),
    channelOf(tables.schema),
    column(({ key }) => key),
    column(({ expectedVersion }) => expectedVersion),
    column(({ value }) => value),
    column(({ index }) => index.kind),
    column(({ index }) => index.status ?? null),
    column(({ index }) => index.subject ?? null),
    column(({ index }) => index.taskId ?? null),
    column(({ index }) => index.dueAt ?? null),
    column(({ key, expectedVersion }) => `${topicOf('key', key)} ${expectedVersion + 1}`),
  ];
  try {
    return (await client.query(statement, values)).rows.map((row) => String(row['key']));
  } catch (error) {
    if (endsConnection(error)) throw error;
    // Rolled back, so that nothing is written. Whose error it was, each finds out by itself.
    return [];
  }
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

import { StoreError } from '@outlive/core';
import { readOnlyError } from './postgres-error.ts';
import type { PostgresPoolClient } from './postgres-pool.ts';

/** The names of a store's tables, quoted; no operation depends on the search path. */
export interface Tables {
  readonly schema: string;
  readonly record: string;
  readonly streamEntry: string;
  readonly schemaVersion: string;
}

/** The tables in `schema`, which is a plain identifier. */
export function tablesIn(schema: string): Tables {
  return {
    schema,
    record: `"${schema}".record`,
    streamEntry: `"${schema}".stream_entry`,
    schemaVersion: `"${schema}".schema_version`,
  };
}

// Collation C: keys are compared by their bytes, and no update of the system's locales can break an index. `id` keeps the
// indexes small where they only need an order; each index serves the queries that name its columns, and no tombstones.
const firstSchema = ({ record, streamEntry }: Tables): string => `
  CREATE TABLE ${record} (
    key text COLLATE "C" PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY,
    version bigint NOT NULL CHECK (version > 0),
    kind text COLLATE "C" NOT NULL,
    status text COLLATE "C",
    subject text COLLATE "C",
    task_id text COLLATE "C",
    due_at double precision,
    value text COLLATE "C"
  );
  CREATE INDEX record_by_kind ON ${record} (kind, id) WHERE value IS NOT NULL;
  CREATE INDEX record_by_status ON ${record} (kind, status, id)
    WHERE value IS NOT NULL AND status IS NOT NULL;
  CREATE INDEX record_by_subject ON ${record} (kind, subject, id)
    WHERE value IS NOT NULL AND subject IS NOT NULL;
  CREATE INDEX record_by_task ON ${record} (kind, task_id, id)
    WHERE value IS NOT NULL AND task_id IS NOT NULL;
  CREATE INDEX record_by_due ON ${record} (kind, due_at, id)
    WHERE value IS NOT NULL AND due_at IS NOT NULL;
  CREATE TABLE ${streamEntry} (
    stream text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (stream, sequence)
  );
`;

/** Each brings the tables from schema version (its position) to the next. */
const migrations: readonly ((tables: Tables) => string)[] = [firstSchema];

/**
 * Brings the tables to the schema of this driver, once, however many processes start at the same instant: those that come
 * later wait for the lock of the first. It is a lock of the transaction, which ends with it also behind a pooler.
 *
 * @throws StoreError `newer_schema`, `read_only` (a standby), or `unavailable` (the database cannot hold every text),
 *   before anything is written.
 */
export async function migrate(
  client: PostgresPoolClient,
  tables: Tables,
  lockTimeoutMs: number,
): Promise<void> {
  if ((await schemaVersion(client, tables)) === migrations.length) return;
  // Not the database's default isolation: after the wait for the lock, the version has to be seen that the first one wrote.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `outlive:${tables.schema}`,
    ]);
    const from = await schemaVersion(client, tables);
    if (from < migrations.length) await apply(client, tables, from);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

async function apply(client: PostgresPoolClient, tables: Tables, from: number): Promise<void> {
  const { schema, schemaVersion } = tables;
  if (from === 0) {
    const { rows } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [schema]);
    // Asked first, since `IF NOT EXISTS` needs the right to create one even where it exists.
    if (rows.length === 0) await client.query(`CREATE SCHEMA "${schema}"`);
    await client.query(`CREATE TABLE ${schemaVersion} (version integer NOT NULL)`);
    await client.query(`INSERT INTO ${schemaVersion} VALUES (0)`);
  }
  for (const migration of migrations.slice(from)) await client.query(migration(tables));
  await client.query(`UPDATE ${schemaVersion} SET version = $1`, [migrations.length]);
}

/** 0 where there are no tables yet. */
async function schemaVersion(client: PostgresPoolClient, tables: Tables): Promise<number> {
  // A scan of the catalog, and not to_regclass: that may answer from a cache that does not know what another process made
  // while this one waited for its lock.
  const { rows } = await client.query(
    `SELECT pg_is_in_recovery()::int AS standby, current_setting('server_encoding') AS encoding,
       EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE nspname = $1 AND relname = 'schema_version')::int AS found`,
    [tables.schema],
  );
  const [server] = rows;
  if (Number(server?.['standby']) !== 0) throw readOnlyError();
  if (server?.['encoding'] !== 'UTF8')
    throw new StoreError(
      'unavailable',
      `The database has the encoding ${String(server?.['encoding'])}, which does not hold every text. Nothing was ` +
        "changed. Create one with ENCODING 'UTF8'.",
    );
  if (Number(server['found']) === 0) return 0;
  const answer = await client.query(`SELECT version FROM ${tables.schemaVersion}`);
  const version = Number(answer.rows[0]?.['version']);
  if (version <= migrations.length) return version;
  if (Number.isNaN(version))
    throw new StoreError(
      'corrupt',
      `${tables.schemaVersion} holds no version. Nothing was changed. Restore it from a backup.`,
    );
  throw new StoreError(
    'newer_schema',
    `The schema "${tables.schema}" has version ${version}; this version of @outlive/postgres knows up to ` +
      `${migrations.length}. Nothing was changed. Upgrade @outlive/postgres in this process.`,
  );
}

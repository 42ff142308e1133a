import { ConfigurationError } from '@outlive/core';
import type { PostgresConnection, PostgresPool } from './postgres-pool.ts';

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /** A `Pool` of `pg`. It may lead through PgBouncer in any mode. The store does not close it. */
  readonly pool: PostgresPool;
  /**
   * A direct way to the same database, past any pooler: a connection string or a config of `pg`'s `Client`. The store
   * then keeps one connection for notifications, from the first time that somebody watches. Without it, it polls.
   */
  readonly listen?: string | PostgresConnection | undefined;
  /** The schema that holds the store's tables, created if it is missing. Default `outlive`. */
  readonly schema?: string | undefined;
  /** How often to look for writes of others while somebody watches and notifications do not come. Default 50 ms. */
  readonly watchPollMs?: number | undefined;
  /** How long an operation may take, waiting for a connection included. Default 10 000 ms. */
  readonly operationTimeoutMs?: number | undefined;
  /** Hears, once for each reason, that the connection for notifications does not work. Default `console.warn`. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** The options, complete. */
export interface ValidOptions {
  readonly pool: PostgresPool;
  readonly listen: PostgresConnection | undefined;
  readonly schema: string;
  readonly watchPollMs: number;
  readonly operationTimeoutMs: number;
  readonly onWarning: (message: string) => void;
}

const known = new Set([
  'pool',
  'listen',
  'schema',
  'watchPollMs',
  'operationTimeoutMs',
  'onWarning',
]);
const longestTimerMs = 2 ** 31 - 1;

/**
 * The options, complete.
 *
 * @throws ConfigurationError naming the option that is wrong.
 */
export function validOptions(options: PostgresStoreOptions): ValidOptions {
  if (typeof options !== 'object' || options === null)
    throw refusal('options', 'an object with a `pool`', options);
  for (const name of Object.keys(options))
    if (!known.has(name)) throw refusal(name, `one of ${[...known].join(', ')}`, name);
  const { onWarning = (message) => console.warn(message) } = options;
  if (typeof onWarning !== 'function') throw refusal('onWarning', 'a function', onWarning);
  return {
    pool: validPool(options.pool),
    listen: validConnection(options.listen),
    schema: validSchema(options.schema ?? 'outlive'),
    watchPollMs: validMs('watchPollMs', options.watchPollMs ?? 50),
    operationTimeoutMs: validMs('operationTimeoutMs', options.operationTimeoutMs ?? 10_000),
    onWarning,
  };
}

function validPool(pool: unknown): PostgresPool {
  if (isPool(pool)) return pool;
  const came = typeof pool === 'object' && pool !== null ? 'another object' : pool;
  throw refusal('pool', 'a Pool of pg', came);
}

function isPool(pool: unknown): pool is PostgresPool {
  return (
    typeof pool === 'object' &&
    pool !== null &&
    ['connect', 'on'].every((name) => typeof Reflect.get(pool, name) === 'function') &&
    // A single Client has the rest too, but lends nothing.
    'totalCount' in pool
  );
}

/** What came is not shown: it may hold a password. */
function validConnection(listen: unknown): PostgresConnection | undefined {
  if (listen === undefined) return undefined;
  if (typeof listen === 'string' && /^postgres(ql)?:\/\//.test(listen))
    return { connectionString: listen };
  if (typeof listen === 'object' && listen !== null && !Array.isArray(listen)) return { ...listen };
  throw refusal(
    'listen',
    'a connection string (postgres://…) or a config of a Client of pg',
    `a ${typeof listen}`,
  );
}

function validSchema(schema: unknown): string {
  // Short enough for the name of the channel, which begins with `outlive:`.
  if (typeof schema === 'string' && /^[a-z_][a-z0-9_]{0,50}$/.test(schema)) {
    if (!schema.startsWith('pg_')) return schema;
  }
  throw refusal(
    'schema',
    'a name of at most 51 lower-case letters, digits and underscores that begins neither with a digit nor with pg_',
    schema,
  );
}

function validMs(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 1 && value <= longestTimerMs) return value;
  throw refusal(name, `a number of milliseconds from 1 to ${longestTimerMs}`, value);
}

function refusal(name: string, expected: string, came: unknown): ConfigurationError {
  const shown = typeof came === 'string' ? JSON.stringify(came) : String(came);
  return new ConfigurationError(`postgresStore: ${name} must be ${expected}; got ${shown}`, [name]);
}

export type { PostgresStoreOptions } from './postgres-options.ts';
export type {
  PostgresConnection,
  PostgresPool,
  PostgresPoolClient,
  PostgresResult,
} from './postgres-pool.ts';
export { postgresStore } from './postgres-store.ts';

import type { Store } from '@outlive/core';
import { Pool, type PoolConfig } from 'pg';
import { onTestFinished } from 'vitest';
import { type PostgresStoreOptions, postgresStore } from '../src/index.ts';

/** A schema that no other test uses. */
export function newSchema(): string {
  return `test_${crypto.randomUUID().replaceAll('-', '')}`;
}

/** A pool, ended after the test. */
export function testPool(connectionString: string, config: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString, max: 4, connectionTimeoutMillis: 5000, ...config });
  onTestFinished(() => pool.end());
  return pool;
}

/** A store with a pool of its own and a schema of its own, unless `options` say otherwise; closed after the test. */
export function testStore(url: string, options: Partial<PostgresStoreOptions> = {}): Store {
  const store = postgresStore({
    pool: options.pool ?? testPool(url),
    schema: newSchema(),
    ...options,
  });
  onTestFinished(() => store.close());
  return store;
}

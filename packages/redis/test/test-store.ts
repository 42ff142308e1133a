import type { Store } from '@outlive/core';
import { onTestFinished } from 'vitest';
import { type RedisClient, type RedisStoreOptions, redisStore } from '../src/index.ts';

/** A store with a prefix of its own that does not warn, unless `options` say otherwise; closed after the test. */
export function testStore(
  client: RedisClient,
  options: Partial<Omit<RedisStoreOptions, 'client'>> = {},
): Store {
  const prefix = `test-${crypto.randomUUID()}`;
  const store = redisStore({ prefix, onWarning: () => undefined, ...options, client });
  onTestFinished(() => store.close());
  return store;
}

/** What `promise` was rejected with, as far as a StoreError shows it. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<{ readonly code: unknown; readonly message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return { code: Reflect.get(error, 'code'), message: error.message };
    throw error;
  }
  throw new Error('it did not fail');
}

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

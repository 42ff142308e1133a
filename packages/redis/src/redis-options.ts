import { ConfigurationError } from '@outlive/core';
import { isRedisClient, keyPrefixOf } from './connector.ts';
import type { RedisClient } from './redis-client.ts';

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** A client of `redis` or `ioredis`. The store opens connections of its own like it; it need not be connected. */
  readonly client: RedisClient;
  /** What all keys and channels begin with, in braces. Stores with different prefixes do not see each other. Default `outlive`. */
  readonly prefix?: string | undefined;
  /** How many replicas have to confirm each write before it is acknowledged. Default 0. */
  readonly requireReplicas?: number | undefined;
  /** How long an operation may take, waiting for a connection included. Default 10 000 ms. */
  readonly timeoutMs?: number | undefined;
  /** Hears, once, of each setting of the server that lets acknowledged writes be lost. Default `console.warn`. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** The options, complete. */
export interface ValidOptions {
  readonly client: RedisClient;
  readonly prefix: string;
  readonly requireReplicas: number;
  readonly timeoutMs: number;
  readonly onWarning: (message: string) => void;
}

const known = new Set(['client', 'prefix', 'requireReplicas', 'timeoutMs', 'onWarning']);
const longestTimerMs = 2 ** 31 - 1;

/**
 * The options, complete.
 *
 * @throws ConfigurationError naming the option that is wrong.
 */
export function validOptions(options: RedisStoreOptions): ValidOptions {
  if (typeof options !== 'object' || options === null)
    throw refusal('options', 'an object with a `client`', options);
  for (const name of Object.keys(options))
    if (!known.has(name)) throw refusal(name, `one of ${[...known].join(', ')}`, name);
  const { onWarning = (message) => console.warn(message) } = options;
  if (typeof onWarning !== 'function') throw refusal('onWarning', 'a function', onWarning);
  return {
    client: validClient(options.client),
    prefix: validPrefix(options.prefix ?? 'outlive'),
    requireReplicas: validCount(options.requireReplicas ?? 0),
    timeoutMs: validMs('timeoutMs', options.timeoutMs ?? 10_000, longestTimerMs),
    onWarning,
  };
}

function validClient(client: unknown): RedisClient {
  if (!isRedisClient(client))
    throw refusal(
      'client',
      'a client made by createClient or createCluster of redis (5.12 or later), or by Redis or Cluster of ioredis (5.4 or ' +
        'later); neither a pool nor a Sentinel client of redis',
      client === null || client === undefined ? client : `a ${typeof client}`,
    );
  const keyPrefix = keyPrefixOf(client);
  if (keyPrefix !== undefined)
    throw refusal('client', 'without a keyPrefix (use `prefix` of redisStore)', keyPrefix);
  return client;
}

function validPrefix(prefix: unknown): string {
  // It is a hash tag: a brace in it would end the tag.
  if (typeof prefix === 'string' && /^[^{}]+$/.test(prefix) && prefix.isWellFormed()) return prefix;
  throw refusal('prefix', 'a text that is not empty and has no braces', prefix);
}

function validCount(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1000)
    return value;
  throw refusal('requireReplicas', 'a whole number from 0', value);
}

function validMs(name: string, value: unknown, most: number): number {
  if (typeof value === 'number' && value >= 1 && value <= most) return value;
  throw refusal(name, `a number of milliseconds from 1 to ${most}`, value);
}

function refusal(name: string, expected: string, came: unknown): ConfigurationError {
  const shown = typeof came === 'string' ? JSON.stringify(came) : String(came);
  return new ConfigurationError(`redisStore: ${name} must be ${expected}; got ${shown}`, [name]);
}

import { ConfigurationError } from '@outlive/core';
import { Cluster, Redis } from 'ioredis';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { describe, expect, it } from 'vitest';
import { type RedisStoreOptions, redisStore } from '../src/index.ts';

function refusalOf(options: unknown): ConfigurationError {
  try {
    redisStore(options as RedisStoreOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return error as ConfigurationError;
  }
  throw new Error('the options were accepted');
}

describe('the options of redisStore', () => {
  it('takes clients of both libraries, connected or not, for a server or a cluster', async () => {
    const clients = [
      createClient(),
      createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
      new Redis({ lazyConnect: true }),
      new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true }),
    ];
    for (const client of clients) await redisStore({ client }).close();
  });

  it('refuses what is not such a client, and names those it takes', () => {
    const sentinel = createSentinel({ name: 'main', sentinelRootNodes: [] });
    for (const client of [undefined, null, 'redis://', {}, createClientPool(), sentinel]) {
      const refusal = refusalOf({ client });
      expect(refusal.paths).toEqual(['client']);
      expect(refusal.message).toMatch(/createClient or createCluster of redis/);
    }
  });

  it('refuses a client that changes keys itself, and says what to use', () => {
    for (const client of [
      new Redis({ lazyConnect: true, keyPrefix: 'app:' }),
      createClient({ keyPrefix: 'app:' }),
    ])
      expect(refusalOf({ client }).message).toMatch(/without a keyPrefix \(use `prefix`.*"app:"/);
  });

  it('refuses prefixes that would break the hash tag', () => {
    for (const prefix of ['', '{a}', 'a}', 7, 'a\ud800'])
      expect(refusalOf({ client: createClient(), prefix }).paths).toEqual(['prefix']);
  });

  it('refuses numbers that cannot be, and options that do not exist', () => {
    const client = createClient();
    for (const requireReplicas of [-1, 1.5, '1', Number.NaN])
      expect(refusalOf({ client, requireReplicas }).paths).toEqual(['requireReplicas']);
    for (const timeoutMs of [0, -5, Number.NaN, Number.POSITIVE_INFINITY, '5'])
      expect(refusalOf({ client, timeoutMs }).paths).toEqual(['timeoutMs']);
    expect(refusalOf({ client, onWarning: 'loud' }).paths).toEqual(['onWarning']);
    expect(refusalOf({ client, url: 'redis://' }).message).toMatch(/url must be one of client,/);
    expect(refusalOf(null).paths).toEqual(['options']);
  });
});

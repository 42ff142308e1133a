import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, describe, expect, it } from 'vitest';
import { createCertificates } from '../../../test/servers/certificates.ts';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownRedisServer } from '../../../test/servers/redis-server.ts';
import { freePort } from '../../../test/servers/server-process.ts';
import type { RedisClient } from '../src/index.ts';
import { testStore } from './test-store.ts';

const certificates = await createCertificates();
const tlsPort = await freePort();
const server = await ownRedisServer({
  'tls-port': String(tlsPort),
  'tls-cert-file': certificates.certificateFile,
  'tls-key-file': certificates.keyFile,
  'tls-auth-clients': 'no',
});
afterAll(async () => {
  await server.stop();
  await certificates.remove();
});

const index = { kind: 'grant' } as const;

/** A client that trusts `ca`; without it, what the system trusts. */
const clients: Readonly<Record<string, (host: string, ca?: string) => RedisClient>> = {
  'node-redis': (host, ca) =>
    createClient({
      url: `rediss://${host}:${tlsPort}`,
      socket: { tls: true, ...(ca === undefined ? {} : { ca }) },
    }),
  ioredis: (host, ca) =>
    new Redis(`rediss://${host}:${tlsPort}`, {
      lazyConnect: true,
      tls: ca === undefined ? {} : { ca },
    }),
};

describe.each(Object.entries(clients))('rediss://, with %s', (_, client) => {
  it('is used by every connection of the store', async () => {
    const store = testStore(client('localhost', certificates.authority));
    let wakes = 0;
    using _watch = store.watch?.({ keys: ['key'] }, () => {
      wakes += 1;
    });
    expect(await store.compareAndSwap('key', 0, 'value', index)).toBe(true);
    expect((await store.get('key'))?.value).toBe('value');
    await expect.poll(() => wakes, { timeout: 10_000 }).toBeGreaterThan(0);
  });

  it('refuses a server whose authority is not known, and one that has another name', async () => {
    for (const refused of [client('localhost'), client('127.0.0.1', certificates.authority)]) {
      const store = testStore(refused, { timeoutMs: 2000 });
      const failure = await failureOf(store.compareAndSwap('other', 0, 'value', index));
      expect(failure.code).toBe('unavailable');
      expect(failure.message).toMatch(/(certificate|altnames).*nothing was written/);
    }
  });
});

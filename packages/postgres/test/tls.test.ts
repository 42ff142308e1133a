import { afterAll, describe, expect, it } from 'vitest';
import { createCertificates } from '../../../test/servers/certificates.ts';
import { failureOf } from '../../../test/servers/failure-of.ts';
import { ownPostgresServer, serverUser } from '../../../test/servers/postgres-server.ts';
import { serverQuery } from './server-query.ts';
import { testPool, testStore } from './test-store.ts';

const certificates = await createCertificates(await serverUser());
const server = await ownPostgresServer({
  ssl: 'on',
  ssl_cert_file: certificates.certificateFile,
  ssl_key_file: certificates.keyFile,
});
afterAll(async () => {
  await server.stop();
  await certificates.remove();
});

const index = { kind: 'grant' } as const;

function urlOf(host: string, parameters: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams({ sslmode: 'verify-full', ...parameters });
  return `postgres://postgres@${host}:${server.process.port}/postgres?${query}`;
}

describe('sslmode=verify-full', () => {
  it('is used by the pool and by the connection for notifications', async () => {
    const url = urlOf('localhost', { sslrootcert: certificates.authorityFile });
    const warnings: string[] = [];
    const store = testStore(url, {
      listen: url,
      watchPollMs: 60_000,
      onWarning: (warning) => warnings.push(warning),
    });
    let wakes = 0;
    using _watch = store.watch?.({ keys: ['key'] }, () => {
      wakes += 1;
    });
    const other = testStore(url);
    expect(await other.compareAndSwap('key', 0, 'value', index)).toBe(true);
    expect(await store.compareAndSwap('key', 0, 'value', index)).toBe(true);
    await expect.poll(() => wakes, { timeout: 10_000 }).toBeGreaterThan(0);
    const connections = await serverQuery(
      server.url,
      `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    expect(connections).toEqual([{ ssl: true }]);
    expect(warnings).toEqual([]);
  });

  it('refuses a server whose authority is not known, and one that has another name', async () => {
    const { authorityFile } = certificates;
    for (const url of [
      urlOf('localhost', {}),
      urlOf('127.0.0.1', { sslrootcert: authorityFile }),
    ]) {
      const store = testStore(url, { pool: testPool(url), operationTimeoutMs: 3000 });
      const failure = await failureOf(store.compareAndSwap('other', 0, 'value', index));
      expect(failure.code).toBe('unavailable');
      expect(failure.message).toMatch(/certificate|altnames/);
      expect(failure.message).toContain('nothing was written');
    }
  });
});

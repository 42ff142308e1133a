import { createCuttingProxy } from '@outlive/testing';
import { afterAll } from 'vitest';
import { pgBouncer } from '../../../test/servers/pgbouncer-server.ts';
import { ownPostgresServer } from '../../../test/servers/postgres-server.ts';

/**
 * A server, a pooler in front of it, and a proxy that cuts connections; all of them end with the file's tests.
 *
 * @param isWrite which statements the proxy counts as writes.
 */
export async function cuttableServer(isWrite: (sent: string) => boolean) {
  const server = await ownPostgresServer();
  const bouncer = await pgBouncer(server);
  const proxy = await createCuttingProxy({ port: server.process.port, isWrite });
  afterAll(async () => {
    await proxy.stop();
    await bouncer.stop();
    await server.stop();
  });
  return {
    server,
    bouncer,
    proxy,
    proxyUrl: `postgres://postgres@127.0.0.1:${proxy.port}/postgres`,
  };
}

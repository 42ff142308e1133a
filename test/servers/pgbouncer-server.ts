import { chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installedProgram } from './installed-program.ts';
import { answersStartup, type PostgresServer, serverUser } from './postgres-server.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** A PgBouncer in front of a Postgres server. */
export interface PgBouncer {
  readonly url: string;
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

/**
 * Starts a PgBouncer in front of `server`. `settings` are settings of pgbouncer.ini; it pools by transaction unless they
 * say otherwise.
 *
 * @throws Error of one line that says what to do, when PgBouncer is not installed.
 */
export async function pgBouncer(
  server: PostgresServer,
  settings: Readonly<Record<string, string>> = {},
): Promise<PgBouncer> {
  const program = await installedProgram({
    names: ['pgbouncer'],
    debianPackage: 'pgbouncer',
    variable: 'POSTGRES_URL',
  });
  const user = await serverUser();
  const process = await startServer({
    program,
    ...user,
    async prepare(folder, port) {
      if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
      const { hostname, port: serverPort } = new URL(server.url);
      const all = {
        listen_addr: '127.0.0.1',
        listen_port: String(port),
        unix_socket_dir: '',
        auth_type: 'any',
        pool_mode: 'transaction',
        ...settings,
      };
      const lines = [
        '[databases]',
        `* = host=${hostname} port=${serverPort || 5432} user=postgres`,
        '[pgbouncer]',
        ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
      ];
      await writeFile(join(folder, 'pgbouncer.ini'), `${lines.join('\n')}\n`);
    },
    args: (_, folder) => [join(folder, 'pgbouncer.ini')],
    isReady: answersStartup,
    stopSignal: 'SIGINT',
  });
  return {
    url: `postgres://postgres@127.0.0.1:${process.port}/postgres`,
    process,
    stop: () => process.stop(),
  };
}

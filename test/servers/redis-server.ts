import { connect } from 'node:net';
import { environmentVariable } from './environment.ts';
import { installedProgram } from './installed-program.ts';
import { type ServerProcess, startServer } from './server-process.ts';

/** A Redis or Valkey server for tests. */
export interface RedisServer {
  readonly url: string;
  /** The process; present only where the tests started it. */
  readonly process?: ServerProcess;
  /** Ends what was started. */
  stop(): Promise<void>;
}

/** A server that the tests may also pause, end and start again. */
export interface OwnRedisServer extends RedisServer {
  readonly process: ServerProcess;
}

/** The server that REDIS_URL names; without it, one of the tests' own. */
export async function redisServer(): Promise<RedisServer> {
  const url = environmentVariable('REDIS_URL');
  return url === undefined ? ownRedisServer() : { url, stop: async () => undefined };
}

/**
 * Starts a server for the caller alone. It writes each command to its disk before it answers, unless `settings`
 * (directives of redis.conf, with their values) say otherwise.
 *
 * @throws Error of one line that says what to do, when no server is installed.
 */
export async function ownRedisServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<OwnRedisServer> {
  const program = await redisProgram();
  const directives = { appendonly: 'yes', appendfsync: 'always', save: '', ...settings };
  const process = await startServer({
    program,
    args: (port, folder) => [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      ...Object.entries(directives).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    // A server that wants a password is up too.
    isReady: async (port) => /^(\+PONG|-NOAUTH)/.test(await redisCommand(port, 'PING')),
  });
  return { url: `redis://127.0.0.1:${process.port}`, process, stop: () => process.stop() };
}

/**
 * The server program, Valkey's or Redis's.
 *
 * @throws Error of one line that says what to do, when there is none.
 */
export async function redisProgram(): Promise<string> {
  return installedProgram({
    names: ['valkey-server', 'redis-server'],
    debianPackage: 'redis-server',
    variable: 'REDIS_URL',
  });
}

/** What the server on `port` answers to one command without arguments that hold spaces; empty when nobody answers. */
export async function redisCommand(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (): void => {
      socket.destroy();
      resolve(answer.replace(farewell, ''));
    };
    socket.setTimeout(5000, finish);
    // Not up yet, or on its way down: an empty answer says so.
    socket.once('error', finish);
    socket.once('close', finish);
    socket.once('connect', () => socket.write(`${command}\r\nQUIT\r\n`));
    socket.on('data', (data) => {
      answer += data.toString('utf8');
      // A Sentinel does not know the word and keeps the connection.
      if (answer.includes("unknown command 'QUIT'")) finish();
    });
  });
}

/** What a server answers to QUIT. */
const farewell = /(\+OK|-ERR unknown command 'QUIT'[^\n]*)\r\n$/;

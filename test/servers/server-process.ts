import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kill } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import { childrenOf } from './process-tree.ts';

/** What to start, and how to know that it serves. */
export interface ServerCommand {
  readonly program: string;
  readonly args: (port: number, folder: string) => readonly string[];
  /** Runs it as this user; a program may refuse to run as root. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Prepares the folder before the first start. */
  readonly prepare?: (folder: string, port: number) => Promise<void>;
  /** Answers whether the server serves. It is asked until it does. */
  readonly isReady: (port: number) => Promise<boolean>;
  /** The signal that asks for a quick, clean end. Default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /**
   * The signal that asks for an end as soon as all clients have left. `stop` sends it first, and gives them a second: a client
   * that is just saying goodbye would meet an error that its owner no longer listens for.
   */
  readonly partingSignal?: NodeJS.Signals;
}

/** A server of the tests' own, on a loopback port and with its files in a temporary folder. */
export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  /** Ends it and removes its folder. May be called twice. */
  stop(): Promise<void>;
  /** Ends it with `signal` and starts it again on the same port and files. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it with `signal`, keeping its files; `start` brings it back. */
  end(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
}

const readyWithinMs = 60_000;
const endWithinMs = 15_000;
const partWithinMs = 1000;

/** Starts a server, which ends with this process at the latest. */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'outlive-server-'));
  const port = await freePort();
  let server: ChildProcess | undefined;
  let guard: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const log = openSync(join(folder, 'server.log'), 'a');
    const started = spawn(command.program, command.args(port, folder), {
      cwd: folder,
      stdio: ['ignore', log, log],
      ...(command.uid === undefined ? {} : { uid: command.uid }),
      ...(command.gid === undefined ? {} : { gid: command.gid }),
    });
    closeSync(log);
    await once(started, 'spawn');
    server = started;
    guard = startGuard(pidOf(started), folder);
    const until = Date.now() + readyWithinMs;
    while (!(await command.isReady(port))) {
      if (hasEnded(started) || Date.now() > until) {
        const output = readFileSync(join(folder, 'server.log'), 'utf8').slice(-2000);
        await end('SIGKILL');
        throw new Error(`${command.program} did not start on port ${port}:\n${output}`);
      }
      await wait(25);
    }
  };

  const end = async (signal: NodeJS.Signals = command.stopSignal ?? 'SIGTERM'): Promise<void> => {
    const ending = server;
    if (ending === undefined) return;
    server = undefined;
    await endProcess(ending, signal);
    if (guard !== undefined) await endProcess(guard, 'SIGKILL');
  };

  const signalAll = (signal: NodeJS.Signals): void => {
    if (server === undefined) throw new Error('the server does not run');
    // The parent first: it must not notice that its children stand still, nor start new ones.
    const pid = pidOf(server);
    for (const each of [pid, ...childrenOf(pid)]) kill(each, signal);
  };

  try {
    await command.prepare?.(folder, port);
    await start();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }

  return {
    port,
    folder,
    get pid() {
      if (server === undefined) throw new Error('the server does not run');
      return pidOf(server);
    },
    async stop() {
      if (server !== undefined && command.partingSignal !== undefined)
        await part(server, command.partingSignal);
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
    async restart(signal) {
      await end(signal);
      await start();
    },
    end,
    start,
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
  };
}

/** A port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no loopback port');
  return address.port;
}

/**
 * A process that ends the server and removes its folder once this process is gone, however it went: the system then
 * closes the pipe it reads from.
 */
function startGuard(pid: number, folder: string): ChildProcess {
  const script =
    'cat > /dev/null; kill -KILL "$1"; sleep 1; rm -rf "$2" || { sleep 5; rm -rf "$2"; }';
  const guard = spawn('sh', ['-c', script, 'sh', String(pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  return guard;
}

async function part(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await Promise.race([ended, wait(partWithinMs)]);
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, 'exit');
  // The guard does not keep this process alive; waiting for its end does.
  child.ref();
  child.kill(signal);
  // A process that was paused hears nothing before it goes on.
  child.kill('SIGCONT');
  const late = AbortSignal.timeout(endWithinMs);
  const forced = (): boolean => child.kill('SIGKILL');
  late.addEventListener('abort', forced);
  await ended;
  late.removeEventListener('abort', forced);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the server does not run');
  return child.pid;
}

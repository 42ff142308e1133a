import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const next = createRequire(import.meta.url).resolve('next/dist/bin/next');
const folder = fileURLToPath(new URL('../..', import.meta.url));
const readyWithinMs = 120_000;

/** A running app. */
export interface NextApp extends AsyncDisposable {
  readonly url: string;
  /** Settles when it has ended. */
  readonly ended: Promise<unknown>;
  /** Ends it and starts it again, with the same environment and port. */
  restart(): Promise<void>;
}

/** How the app is started. */
export interface NextAppOptions {
  /** `dev` compiles while it runs; `start` serves what `buildNextApp` has built. */
  readonly mode: 'dev' | 'start';
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdio?: 'inherit' | 'ignore';
}

/** Builds the app. @throws {Error} with the output of the build when it fails. */
export async function buildNextApp(): Promise<void> {
  const build = spawnNext(['build'], {}, 'pipe');
  let output = '';
  for (const stream of [build.stdout, build.stderr])
    stream?.on('data', (text: Buffer) => {
      output += text;
    });
  const [status] = await once(build, 'exit');
  if (status !== 0) throw new Error(`next build failed:\n${output}`);
}

/** Starts the app and waits until it answers. */
export async function startNextApp(options: NextAppOptions): Promise<NextApp> {
  const { mode, url, environment, stdio = 'ignore' } = options;
  const { hostname, port } = new URL(url);
  let app: ChildProcess;

  async function start(): Promise<void> {
    app = spawnNext([mode, '--port', port, '--hostname', hostname], environment, stdio);
    const until = Date.now() + readyWithinMs;
    while (!(await answers(url))) {
      if (app.exitCode !== null || Date.now() > until) {
        await end();
        throw new Error(`the app did not start at ${url}`);
      }
      await wait(50);
    }
  }

  async function end(): Promise<void> {
    if (app.exitCode !== null || app.signalCode !== null) return;
    const ended = once(app, 'exit');
    app.kill('SIGTERM');
    const forced = setTimeout(() => app.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(forced);
  }

  await start();
  return {
    url,
    get ended() {
      return once(app, 'exit');
    },
    async restart() {
      await end();
      await start();
    },
    [Symbol.asyncDispose]: end,
  };
}

/** A free port of this machine, as an origin. */
export async function freeOrigin(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('there is no free port');
  return `http://127.0.0.1:${address.port}`;
}

function spawnNext(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  stdio: 'inherit' | 'ignore' | 'pipe',
): ChildProcess {
  return spawn(process.execPath, [next, ...args], {
    cwd: folder,
    // biome-ignore lint/style/noProcessEnv: a child process needs the environment of its parent.
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1', ...environment },
    stdio: ['ignore', stdio, stdio],
  });
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/connected`, { redirect: 'manual' });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    // Nobody listens yet.
    return false;
  }
}

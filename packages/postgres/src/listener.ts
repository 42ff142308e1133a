import { Socket } from 'node:net';
import { createDeadline } from '@outlive/core/driver';
import pg from 'pg';
import type { PostgresConnection } from './postgres-pool.ts';

const firstDelayMs = 100;
const longestDelayMs = 10_000;
const heartbeatMs = 15_000;
const farewellMs = 1000;

/** The direct connection that hears notifications: opened when asked, and again when it is lost. */
export interface Listener {
  open(): void;
  close(): Promise<void>;
}

/**
 * @param probe sends `payload` on the channel from elsewhere. Only when it arrives, the connection counts: a pooler accepts
 *   LISTEN and then tells nothing, and the connection might lead to another database.
 * @param isHearing hears whether notifications come from now on.
 * @param onWarning hears why they do not.
 */
export function createListener(parts: {
  readonly connection: PostgresConnection;
  readonly channel: string;
  readonly timeoutMs: number;
  readonly probe: (payload: string) => Promise<void>;
  readonly onNotification: (payload: string) => void;
  readonly isHearing: (hears: boolean) => void;
  readonly onWarning: (message: string) => void;
}): Listener {
  const { channel, timeoutMs, onWarning } = parts;
  const warned = new Set<string>();
  let current: Ear | undefined;
  let delayMs = firstDelayMs;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const later = (work: () => void, ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(work, ms).unref();
  };

  const warn = (reason: string): void => {
    const message = `postgresStore hears no notifications (${reason}); while somebody watches, it polls instead.`;
    if (warned.has(message)) return;
    warned.add(message);
    onWarning(message);
  };

  const lost = (ear: Ear): void => {
    if (current !== ear) return;
    current = undefined;
    void ear.end();
    parts.isHearing(false);
    if (closed) return;
    // Jitter, so that processes do not come back in step.
    later(open, delayMs * (0.5 + Math.random()));
    delayMs = Math.min(2 * delayMs, longestDelayMs);
  };

  const limited = <T>(work: Promise<T>, what: string): Promise<T> =>
    createDeadline(timeoutMs).limit(work, () => new Error(`${what} took over ${timeoutMs} ms`));

  const beat = async (ear: Ear): Promise<void> => {
    try {
      await limited(ear.client.query('SELECT 1'), 'a heartbeat');
    } catch {
      // The connection is gone without a word. It is opened again, which tells if that fails too.
      return lost(ear);
    }
    if (current === ear) later(() => void beat(ear), heartbeatMs);
  };

  const prove = async (ear: Ear): Promise<void> => {
    const payload = `probe ${crypto.randomUUID()}`;
    const heard = ear.hears(payload);
    try {
      await parts.probe(payload);
    } catch {
      // The pool fails, whose errors the store's operations tell; the listener tries again later.
      return lost(ear);
    }
    try {
      await limited(heard, 'the arrival of a test');
    } catch {
      warn(
        'the connection `listen` accepted LISTEN, but a notification sent through the pool did not arrive: it leads ' +
          'through a pooler or to another database',
      );
      return lost(ear);
    }
    if (current !== ear) return;
    delayMs = firstDelayMs;
    parts.isHearing(true);
    later(() => void beat(ear), heartbeatMs);
  };

  const begin = async (ear: Ear): Promise<void> => {
    try {
      await limited(ear.client.connect(), 'connecting');
      await limited(ear.client.query(`LISTEN "${channel}"`), 'LISTEN');
    } catch (error) {
      if (current === ear) warn(error instanceof Error ? error.message : String(error));
      return lost(ear);
    }
    return prove(ear);
  };

  const open = (): void => {
    if (closed || current !== undefined) return;
    const ear = createEar(parts.connection, parts.onNotification, () => lost(ear));
    current = ear;
    void begin(ear);
  };

  return {
    open,
    async close() {
      closed = true;
      clearTimeout(timer);
      const ear = current;
      current = undefined;
      await ear?.end();
    },
  };
}

/** One connection that hears. */
interface Ear {
  readonly client: pg.Client;
  /** Resolves when `payload` is heard, which is then not passed on. */
  hears(payload: string): Promise<void>;
  end(): Promise<void>;
}

function createEar(
  connection: PostgresConnection,
  onNotification: (payload: string) => void,
  onLost: () => void,
): Ear {
  // Unref: waiting for a hint is no reason to keep a process alive.
  const socket = new Socket().unref();
  // The user's object may have more fields than the store knows, all of them pg's.
  const config = { keepAlive: true, stream: () => socket, ...connection } as pg.ClientConfig;
  const client = new pg.Client(config);
  const awaited = new Map<string, () => void>();
  client.on('error', onLost);
  client.on('end', onLost);
  client.on('notification', ({ payload = '' }) => {
    const arrived = awaited.get(payload);
    if (arrived === undefined) return onNotification(payload);
    awaited.delete(payload);
    arrived();
  });
  return {
    client,
    hears: (payload) => new Promise((resolve) => awaited.set(payload, resolve)),
    async end() {
      const late = new Error('the server did not see the connection out');
      try {
        await createDeadline(farewellMs).limit(client.end(), () => late);
      } catch {
        // Ended from this side alone: nothing is pending on it.
      }
      socket.destroy();
    },
  };
}

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** What becomes of the next write that a client sends: it does not arrive, or its answer does not. */
export type Cut = 'request' | 'reply';

/** A way to a server that can be cut at the worst moment. */
export interface CuttingProxy {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Cuts the connection at the next write that goes through it. */
  cutNext(cut: Cut): void;
  stop(): Promise<void>;
}

/**
 * Listens on a loopback port and passes everything on to `port` of this host.
 *
 * @param isWrite whether a client sends a write with these bytes, read as Latin-1.
 */
export async function createCuttingProxy(options: {
  readonly port: number;
  readonly isWrite: (sent: string) => boolean;
}): Promise<CuttingProxy> {
  let cut: Cut | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(options.port, '127.0.0.1');
    let isCutting = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // Both ends close together; what broke is seen by the client under test.
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on('data', (data) => {
      if (cut !== undefined && options.isWrite(data.toString('latin1'))) {
        isCutting = true;
        const what = cut;
        cut = undefined;
        if (what === 'request') return end();
      }
      return upstream.write(data);
    });
    upstream.on('data', (data) => (isCutting ? end() : client.write(data)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    port: address.port,
    cutNext(next) {
      cut = next;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

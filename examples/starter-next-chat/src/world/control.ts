import { once } from 'node:events';
import { createServer } from 'node:http';

/** Lets the demo button of the page act on the world. */
export async function startControl(
  revokeMidRun: () => void,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.method === 'POST') revokeMidRun();
    response.writeHead(request.method === 'POST' ? 204 : 405).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}

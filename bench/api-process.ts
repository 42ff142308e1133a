// The API that tools call: answers a short JSON document to whoever brings a bearer token.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { childIsReady } from './child.ts';

/** What this process says when it is ready. */
export interface ApiReady {
  readonly url: string;
}

const body = JSON.stringify({ invoices: [{ id: 'i-1', amount: 1200, currency: 'EUR' }] });
const server = createServer((request, response) => {
  // A request has to be read to its end, or its connection cannot be used again.
  request.resume();
  request.on('end', () => {
    const known = request.headers.authorization?.startsWith('Bearer ') === true;
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
    response.end(known ? body : '{}');
  });
});
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
childIsReady({ url: `http://127.0.0.1:${port}/` } satisfies ApiReady);

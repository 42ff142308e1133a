// The process that listens to the directory. It runs no agent and holds no token.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { receiveEvent } from './event.ts';
import type { Assignment, Report } from './messages.ts';
import { openRuntime } from './runtime.ts';

const [assignment]: [Assignment] = (await once(process, 'message')) as [Assignment];
const { outlive } = openRuntime(assignment.runtime);

const server = createServer(async (request, response) => {
  const { authorization } = request.headers;
  const body = await text(request);
  const status = await receiveEvent(
    outlive,
    { authorization, body },
    assignment.eventsToken ?? '',
  ).catch((error: unknown) => {
    console.error(error);
    return 503;
  });
  response.writeHead(status).end();
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const listening: Report = { type: 'listening', url: `http://127.0.0.1:${port}/events` };
process.send?.(listening);

process.once('disconnect', async () => {
  server.close();
  await outlive.close();
  process.exit();
});

// The process that listens to the directory. It runs no agent and holds no token.
import { once } from 'node:events';
import { createPushReceiver, createStreamClient, eventTypes } from '@outlive/signals';
import { serveHandler } from '@outlive/testing';
import type { Assignment, Report } from './messages.ts';
import { openRuntime } from './runtime.ts';

const [assignment]: [Assignment] = (await once(process, 'message')) as [Assignment];
const { transmitter } = assignment;
if (transmitter === undefined) throw new Error('the desk was not told where events come from');
const runtime = openRuntime(assignment.runtime);

// What the transmitter shows when it pushes, on top of the signature of each token.
const authorization = `Bearer ${crypto.randomUUID()}`;
const server = await serveHandler(
  createPushReceiver({
    outlive: runtime.outlive,
    issuer: transmitter.url,
    audience: transmitter.audience,
    authorization,
  }),
);
const stream = await createStreamClient({
  issuer: transmitter.url,
  authorization: `Bearer ${transmitter.managementToken}`,
}).ensureStream({
  delivery: { method: 'push', endpoint: `${server.url}/events`, authorization },
  events: [eventTypes.accountDisabled, eventTypes.sessionRevoked],
});
const listening: Report = { type: 'listening', streamId: stream.id };
process.send?.(listening);

process.once('disconnect', async () => {
  await server.close();
  await runtime[Symbol.asyncDispose]();
  process.exit();
});

import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { EscalationNotice } from '@outlive/core';

/** Where the manager's messages arrive. */
export interface Inbox extends AsyncDisposable {
  readonly url: string;
  /** The first message. */
  readonly first: Promise<EscalationNotice>;
  /** Ids of the messages that were genuine; a repetition has the id of the first. */
  readonly ids: readonly string[];
}

/** Starts the inbox: takes in what is signed with `secret` in the way of Standard Webhooks, and nothing else. */
export async function startInbox(secret: Uint8Array): Promise<Inbox> {
  const ids: string[] = [];
  const first = Promise.withResolvers<EscalationNotice>();
  const server = createServer(async (request, response) => {
    const header = (name: string): string => String(request.headers[`webhook-${name}`] ?? '');
    const body = await text(request);
    const signed = `${header('id')}.${header('timestamp')}.${body}`;
    const expected = Buffer.from(
      `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`,
    );
    const given = Buffer.from(header('signature'));
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      return response.writeHead(401).end();
    ids.push(header('id'));
    first.resolve((JSON.parse(body) as { readonly data: EscalationNotice }).data);
    return response.writeHead(204).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/noor`,
    first: first.promise,
    ids,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

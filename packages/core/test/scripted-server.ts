import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { text } from 'node:stream/consumers';

/** A real HTTP server on loopback that answers as a test says, and counts what reached it. */
export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  /** The form of every request that arrived, in order. */
  readonly requests: readonly URLSearchParams[];
}

/** Answers one request whose form was read. */
export type Script = (
  response: ServerResponse,
  form: URLSearchParams,
  request: IncomingMessage,
) => void;

export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const requests: URLSearchParams[] = [];
  const listener: RequestListener = (request, response) => {
    void text(request).then((body) => {
      const form = new URLSearchParams(body);
      requests.push(form);
      script(response, form, request);
    });
  };
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A URL on loopback where nothing listens. */
export async function unusedUrl(): Promise<string> {
  const server = await startScriptedServer(() => undefined);
  await server[Symbol.asyncDispose]();
  return server.url;
}

/** A script that always answers the same. A body that is no string is sent as JSON. */
export function answer(
  status: number,
  body: string | object,
  headers: Readonly<Record<string, string>> = {},
): Script {
  return (response) => {
    const type = typeof body === 'string' ? 'text/html' : 'application/json';
    response.writeHead(status, { 'content-type': type, ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

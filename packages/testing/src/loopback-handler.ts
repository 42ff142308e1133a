import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback } from './loopback-server.ts';
import { sendWebResponse, toWebRequest } from './web-request.ts';

/** A fetch-style handler: a route of a web framework, a receiver of security events. */
export type WebHandler = (request: Request) => Response | Promise<Response>;

/** A handler that is served on a loopback port of its own. */
export interface ServedHandler extends AsyncDisposable {
  /** Its origin. */
  readonly url: string;
  /** Stops the server and drops its connections. */
  close(): Promise<void>;
}

/**
 * Serves a fetch-style handler, so that real requests can reach it. What it throws is answered with 500.
 *
 * `intercept` sees each request first; one that it answers `true` for goes no further.
 */
export async function serveHandler(
  handler: WebHandler,
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean,
): Promise<ServedHandler> {
  const server = createServer(async (request, response) => {
    if (intercept?.(request, response) === true) return;
    try {
      await sendWebResponse(await handler(await toWebRequest(request, url)), response);
    } catch (error) {
      response.statusCode = 500;
      response.end(error instanceof Error ? error.message : String(error));
    }
  });
  const url = await listenOnLoopback(server);
  const close = (): Promise<void> => closeServer(server);
  return { url, close, [Symbol.asyncDispose]: close };
}

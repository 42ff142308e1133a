import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A Node request, its body read, as a Web `Request`. */
export async function toWebRequest(request: IncomingMessage, origin: string): Promise<Request> {
  const method = request.method ?? 'GET';
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const body = await buffer(request);
  const hasBody = method !== 'GET' && method !== 'HEAD' && body.length > 0;
  return new Request(new URL(request.url ?? '/', origin), {
    method,
    headers,
    ...(hasBody && { body }),
  });
}

/** Answers a Node request with a Web `Response`. */
export async function sendWebResponse(response: Response, to: ServerResponse): Promise<void> {
  to.statusCode = response.status;
  to.setHeaders(response.headers);
  to.end(Buffer.from(await response.arrayBuffer()));
}

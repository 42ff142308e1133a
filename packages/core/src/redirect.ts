import { discardResponse } from './discard-response.ts';
import { RequestRefusedError } from './errors.ts';
import type { OutgoingRequest } from './outgoing-request.ts';
import { type ResourceLocation, resolveTarget } from './resource-location.ts';

/** As many as `fetch` follows (Fetch section 4.4). */
const maxRedirects = 20;

const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

/** What describes a body, and goes when it goes (Fetch section 2.2.2, "request-body-header name"), and its length. */
const bodyHeaders: readonly string[] = [
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'content-length',
];

/**
 * The request to send next when `response` is a redirect to follow: rewritten as the Fetch standard says (section
 * 4.4, HTTP-redirect fetch) and checked like any other; the response is discarded then. `undefined` when the
 * response is for the caller.
 *
 * @param followed how many redirects led here.
 * @throws {RequestRefusedError} `redirect`, whatever the reason.
 */
export function followRedirect(
  resource: ResourceLocation,
  request: OutgoingRequest,
  response: Response,
  followed: number,
): OutgoingRequest | undefined {
  // What browsers answer instead of a redirect that they were told not to follow.
  const opaque = response.status === 0 && response.type === 'opaqueredirect';
  if (!opaque && !redirectStatuses.includes(response.status)) return undefined;
  if (request.redirect === 'manual') return undefined;
  const location = response.headers.get('location');
  if (!opaque && location === null && request.redirect === 'follow') return undefined;

  discardResponse(response);
  if (request.redirect === 'error') throw refused('the caller asked to follow none.');
  if (location === null) throw refused('this runtime hides where it leads, so it is not checked.');
  if (followed === maxRedirects) throw refused(`it is the one after ${maxRedirects} others.`);
  const url = resolveLocation(resource, request.url, location);
  return redirectedTo(url, request, response.status);
}

/** Whether a redirect says that the request was dealt with; 307 and 308 say to send it elsewhere instead. */
export function isAnswerByRedirect(status: number): boolean {
  return status !== 307 && status !== 308;
}

function redirectedTo(url: URL, request: OutgoingRequest, status: number): OutgoingRequest {
  const headers = request.headers && new Headers(request.headers);
  // The origins share a resource, but not the cookies that the caller set for one of them.
  if (url.origin !== request.url.origin) headers?.delete('cookie');
  if (!becomesGet(status, request.method)) {
    if (!request.replayable) throw refused('the body of the request can be sent only once.');
    return { ...request, url, headers };
  }
  for (const name of bodyHeaders) headers?.delete(name);
  const withoutBody = { method: 'GET', body: undefined, carrier: undefined, replayable: true };
  return { ...request, ...withoutBody, url, headers };
}

function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}

function resolveLocation(resource: ResourceLocation, from: URL, location: string): URL {
  try {
    return resolveTarget(resource, utf8(location), from);
  } catch (cause) {
    if (!(cause instanceof RequestRefusedError)) throw cause;
    throw refused(cause.message, { cause });
  }
}

/** Header values arrive as one character per octet; servers that send raw non-ASCII mean UTF-8. */
function utf8(location: string): string {
  if (!/[\x80-\xff]/.test(location)) return location;
  return new TextDecoder().decode(Uint8Array.from(location, (octet) => octet.charCodeAt(0)));
}

function refused(reason: string, options?: ErrorOptions): RequestRefusedError {
  return new RequestRefusedError('redirect', `Redirect not followed: ${reason}`, options);
}

import { RequestRefusedError } from './errors.ts';
import { captureBody, type RequestBody } from './request-body.ts';
import { type ResourceLocation, resolveTarget } from './resource-location.ts';

/** A request as it was when it was checked. Nothing that the caller changes afterwards reaches it. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  /** Without the token. `undefined`: the caller set none. */
  readonly headers: Headers | undefined;
  readonly body: RequestBody | undefined;
  /** The caller's Request, when its body can only be sent through it (that keeps its Content-Length). */
  readonly carrier: Request | undefined;
  readonly replayable: boolean;
  readonly redirect: 'follow' | 'error' | 'manual';
  readonly signal: AbortSignal | undefined;
  /** The other members of the caller's RequestInit, which say nothing about where the request goes. */
  readonly settings: Readonly<RequestInit>;
}

const settingNames = [
  'referrer',
  'referrerPolicy',
  'mode',
  'credentials',
  'cache',
  'integrity',
  'keepalive',
  'priority',
  'duplex',
] as const;

/** The runtime decides who a request speaks for; and `host` could name another site on the same connection. */
const refusedHeaders = ['authorization', 'proxy-authorization', 'dpop', 'host'] as const;

/** Spelled in any case by callers, in upper case on the wire; other methods stay as they are (Fetch section 2.2.1). */
const normalizedMethods: readonly string[] = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT'];

/**
 * Takes the arguments of a `fetch` call, reading each member exactly once, and checks them.
 *
 * Members outside the Fetch standard are left out. One of them is refused, because Node would obey it: a
 * `dispatcher` decides where the request, and so the token, really goes.
 *
 * @throws {RequestRefusedError} when the request may not be made.
 * @throws {TypeError} when `fetch` itself would refuse it: nothing must be acquired or recorded for it.
 */
export function captureRequest(
  resource: ResourceLocation,
  input: string | URL | Request,
  init: RequestInit | undefined,
): OutgoingRequest {
  const options: RequestMembers = init ?? {};
  if ((options.dispatcher ?? undefined) !== undefined)
    throw new RequestRefusedError('origin', 'A request may not bring its own dispatcher.');

  const body = captureBody(options.body);
  const source = input instanceof Request ? input : undefined;
  const carried = body.content === undefined && source !== undefined && source.body !== null;
  // A Request of our own: its members can't be overridden, and like in fetch the caller's is used up now.
  const carrier = carried ? new Request(source) : undefined;
  const request = carrier ?? source;

  const url = resolveTarget(resource, request === undefined ? String(input) : request.url);
  const method = captureMethod(options.method ?? request?.method);
  const hasBody = carried || body.content !== undefined;
  if (hasBody && (method === 'GET' || method === 'HEAD'))
    throw new TypeError('A request with the method GET or HEAD cannot have a body.');
  const signal = options.signal;
  return {
    url,
    method,
    headers: captureHeaders(options.headers ?? request?.headers),
    body: body.content,
    carrier,
    replayable: body.replayable && !carried,
    redirect: captureRedirect(options.redirect ?? request?.redirect),
    signal: (signal === undefined ? request?.signal : signal) ?? undefined,
    settings: init || request ? captureSettings(options, request) : {},
  };
}

/** The arguments to send `request` with `authorization`, and with a proof where its token needs one. */
export function fetchArguments(
  request: OutgoingRequest,
  authorization: string,
  proof?: string,
): [input: string | Request, init: RequestInit] {
  const own = proof === undefined ? { authorization } : { authorization, dpop: proof };
  let headers: RequestInit['headers'] = own;
  if (request.headers !== undefined) {
    headers = new Headers(request.headers);
    for (const [name, value] of Object.entries(own)) headers.set(name, value);
  }
  // Members that say what fetch does anyway are left out: it takes time to convert each.
  const init: RequestInit = { ...request.settings, headers, redirect: 'manual' };
  if (request.method !== 'GET') init.method = request.method;
  if (request.body !== undefined) init.body = request.body;
  if (request.signal !== undefined) init.signal = request.signal;
  else if (request.carrier !== undefined) init.signal = null;
  return [request.carrier ?? request.url.href, init];
}

/** RequestInit with the members that only some runtimes know. */
type RequestMembers = Omit<RequestInit, 'dispatcher'> & { readonly dispatcher?: unknown };

function captureMethod(value: string | undefined): string {
  if (value === undefined) return 'GET';
  const method = String(value);
  const upperCase = method.toUpperCase();
  if (normalizedMethods.includes(upperCase)) return upperCase;
  if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(method) || /^(?:CONNECT|TRACE|TRACK)$/.test(upperCase))
    throw new TypeError('method: expected an HTTP method that fetch can send.');
  return method;
}

function captureHeaders(value: RequestInit['headers']): Headers | undefined {
  if (value === undefined) return undefined;
  const headers = new Headers(value);
  for (const name of refusedHeaders)
    if (headers.has(name))
      throw new RequestRefusedError('header', `A request may not set the header "${name}".`);
  return headers;
}

function captureRedirect(value: string | undefined): OutgoingRequest['redirect'] {
  if (value === undefined || value === 'follow') return 'follow';
  if (value === 'error' || value === 'manual') return value;
  throw new TypeError('redirect: expected "follow", "error" or "manual".');
}

function captureSettings(init: object, request: Request | undefined): RequestInit {
  const settings: Record<string, unknown> = {};
  for (const name of settingNames) {
    const value: unknown = Reflect.get(init, name) ?? (request && Reflect.get(request, name));
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}

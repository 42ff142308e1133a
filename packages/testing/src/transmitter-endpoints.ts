import {
  createStreamRecord,
  deliveryOf,
  shownStream,
  type TestStream,
} from './transmitter-streams.ts';

/** What the endpoints of a transmitter work on. */
export interface TransmitterParts {
  readonly url: string;
  readonly audience: string;
  readonly managementToken: string;
  readonly supported: readonly string[];
  readonly streams: Map<string, TestStream>;
  readonly jwks: object;
  /** Sends an event about the stream itself. */
  readonly sendToStream: (stream: TestStream, type: string, event: object) => Promise<unknown>;
}

type Endpoint = (request: Request, parts: TransmitterParts) => Response | Promise<Response>;

const verification = 'https://schemas.openid.net/secevent/ssf/event-type/verification';
const streamUpdated = 'https://schemas.openid.net/secevent/ssf/event-type/stream-updated';

const endpoints: Readonly<Record<string, Endpoint>> = {
  '/streams': configuration,
  '/status': status,
  '/subjects/add': subjects,
  '/subjects/remove': subjects,
  '/verification': verify,
};

/** Answers a request as an SSF 1.0 transmitter: metadata, keys, stream management, polling (RFC 8936). */
export async function answerTransmitterRequest(
  request: Request,
  parts: TransmitterParts,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/.well-known/ssf-configuration') return Response.json(metadata(parts));
  if (pathname === '/jwks') return Response.json(parts.jwks);
  if (request.headers.get('authorization') !== `Bearer ${parts.managementToken}`)
    return new Response(null, { status: 401 });
  if (pathname.startsWith('/poll/')) return poll(request, parts);
  const endpoint = endpoints[pathname];
  if (endpoint === undefined) return new Response(null, { status: 404 });
  try {
    return await endpoint(request, parts);
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError)
      return Response.json({ description: error.message }, { status: 400 });
    throw error;
  }
}

function metadata({ url }: TransmitterParts): object {
  return {
    spec_version: '1_0',
    issuer: url,
    jwks_uri: `${url}/jwks`,
    delivery_methods_supported: ['urn:ietf:rfc:8935', 'urn:ietf:rfc:8936'],
    configuration_endpoint: `${url}/streams`,
    status_endpoint: `${url}/status`,
    add_subject_endpoint: `${url}/subjects/add`,
    remove_subject_endpoint: `${url}/subjects/remove`,
    verification_endpoint: `${url}/verification`,
    authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6750' }],
    default_subjects: 'ALL',
  };
}

/** @throws {SyntaxError} when it is no JSON. */
async function bodyOf(request: Request): Promise<Readonly<Record<string, unknown>>> {
  return Object(await request.json());
}

async function configuration(request: Request, parts: TransmitterParts): Promise<Response> {
  const { streams, url, supported } = parts;
  const shown = (stream: TestStream): object => shownStream(stream, url, supported);
  const id = new URL(request.url).searchParams.get('stream_id');
  switch (request.method) {
    case 'POST': {
      const stream = createStreamRecord(await bodyOf(request), parts);
      streams.set(stream.stream_id, stream);
      return Response.json(shown(stream), { status: 201 });
    }
    case 'GET': {
      if (id === null) return Response.json([...streams.values()].map(shown));
      const stream = streams.get(id);
      return stream ? Response.json(shown(stream)) : new Response(null, { status: 404 });
    }
    case 'PATCH': {
      const change = await bodyOf(request);
      const stream = streams.get(String(change['stream_id']));
      if (stream === undefined) return new Response(null, { status: 404 });
      if (change['delivery'] !== undefined)
        stream.delivery = deliveryOf(change['delivery'], `${url}/poll/${stream.stream_id}`);
      const events = change['events_requested'];
      if (Array.isArray(events)) stream.events_requested = events.map(String);
      return Response.json(shown(stream));
    }
    case 'DELETE':
      return new Response(null, { status: streams.delete(id ?? '') ? 204 : 404 });
    default:
      return new Response(null, { status: 405 });
  }
}

async function status(request: Request, parts: TransmitterParts): Promise<Response> {
  const body = request.method === 'POST' ? await bodyOf(request) : undefined;
  const id = body?.['stream_id'] ?? new URL(request.url).searchParams.get('stream_id');
  const stream = parts.streams.get(String(id));
  if (stream === undefined) return new Response(null, { status: 404 });
  if (body !== undefined) {
    const next = body['status'];
    if (next !== 'enabled' && next !== 'paused' && next !== 'disabled')
      throw new TypeError('status must be enabled, paused or disabled');
    stream.status = next;
    await parts.sendToStream(stream, streamUpdated, { status: next });
  }
  return Response.json({ stream_id: stream.stream_id, status: stream.status });
}

async function subjects(request: Request, { streams }: TransmitterParts): Promise<Response> {
  const { stream_id, subject } = await bodyOf(request);
  const stream = streams.get(String(stream_id));
  if (stream === undefined) return new Response(null, { status: 404 });
  if (typeof Object(subject)['format'] !== 'string')
    throw new TypeError('subject must have a format');
  if (request.url.endsWith('/add')) {
    stream.subjects.add(JSON.stringify(subject));
    return new Response(null, { status: 200 });
  }
  stream.subjects.delete(JSON.stringify(subject));
  return new Response(null, { status: 204 });
}

async function verify(request: Request, parts: TransmitterParts): Promise<Response> {
  const { stream_id, state } = await bodyOf(request);
  const stream = parts.streams.get(String(stream_id));
  if (stream === undefined) return new Response(null, { status: 404 });
  await parts.sendToStream(stream, verification, state === undefined ? {} : { state });
  return new Response(null, { status: 204 });
}

/** RFC 8936 section 2: what was acknowledged or refused is forgotten, what waits is handed out. */
async function poll(request: Request, { streams }: TransmitterParts): Promise<Response> {
  const stream = streams.get(new URL(request.url).pathname.slice('/poll/'.length));
  if (stream === undefined) return new Response(null, { status: 404 });
  const { ack = [], setErrs = {}, maxEvents = 100 } = await bodyOf(request);
  for (const jti of ack as string[]) stream.waiting.delete(jti);
  for (const [jti, error] of Object.entries(Object(setErrs))) {
    stream.waiting.delete(jti);
    stream.refused.set(jti, error as { err: string });
  }
  const handed = [...stream.waiting].slice(0, Number(maxEvents));
  return Response.json({
    sets: Object.fromEntries(handed),
    ...(handed.length < stream.waiting.size ? { moreAvailable: true } : {}),
  });
}

import { randomUUID } from 'node:crypto';

/** How a stream delivers: pushed to the receiver (RFC 8935), or polled by it (RFC 8936). */
export type StreamDelivery =
  | {
      readonly method: 'urn:ietf:rfc:8935';
      readonly endpoint_url: string;
      readonly authorization_header?: string;
    }
  | { readonly method: 'urn:ietf:rfc:8936'; readonly endpoint_url: string };

/** A stream of security events, in the words of SSF 1.0 section 8.1.1. */
export interface TestStream {
  readonly stream_id: string;
  readonly aud: string;
  delivery: StreamDelivery;
  events_requested: readonly string[];
  status: 'enabled' | 'paused' | 'disabled';
  /** Subjects that were added and not removed, as JSON. */
  readonly subjects: Set<string>;
  /** What waits to be polled: token by `jti`. */
  readonly waiting: Map<string, string>;
  /** What a receiver said of tokens that it refused, by `jti`. */
  readonly refused: Map<string, { readonly err: string; readonly description?: string }>;
}

/** Makes a stream from a create request. @throws {TypeError} when the request is wrong. */
export function createStreamRecord(
  request: Readonly<Record<string, unknown>>,
  transmitter: { readonly url: string; readonly audience: string },
): TestStream {
  const id = randomUUID();
  const { delivery, events_requested: events = [] } = request;
  if (!Array.isArray(events)) throw new TypeError('events_requested must be an array');
  return {
    stream_id: id,
    aud: transmitter.audience,
    delivery: deliveryOf(delivery, `${transmitter.url}/poll/${id}`),
    events_requested: events.map(String),
    status: 'enabled',
    subjects: new Set(),
    waiting: new Map(),
    refused: new Map(),
  };
}

/** Checks a delivery; where it is polled the transmitter names the endpoint. @throws {TypeError} */
export function deliveryOf(given: unknown, pollUrl: string): StreamDelivery {
  const delivery = (given ?? {}) as Readonly<Record<string, unknown>>;
  const { method, endpoint_url: endpoint, authorization_header: authorization } = delivery;
  if (method === undefined || method === 'urn:ietf:rfc:8936')
    return { method: 'urn:ietf:rfc:8936', endpoint_url: pollUrl };
  if (method !== 'urn:ietf:rfc:8935' || typeof endpoint !== 'string' || !URL.canParse(endpoint))
    throw new TypeError('delivery must name a supported method and an endpoint_url');
  return {
    method,
    endpoint_url: endpoint,
    ...(typeof authorization === 'string' ? { authorization_header: authorization } : {}),
  };
}

/** A stream's configuration as the management API shows it. */
export function shownStream(
  stream: TestStream,
  issuer: string,
  supported: readonly string[],
): object {
  const { stream_id, aud, delivery, events_requested } = stream;
  return {
    stream_id,
    iss: issuer,
    aud,
    events_supported: supported,
    events_requested,
    events_delivered: supported.filter((type) => events_requested.includes(type)),
    delivery,
  };
}

import { checkOptions } from '@outlive/core';
import * as z from 'zod';
import { requestJson } from './json-request.ts';
import { secureUrlSchema } from './receiver-options.ts';
import { SignalError } from './signal-error.ts';
import { fetchTransmitterMetadata, type TransmitterMetadata } from './transmitter-metadata.ts';

/** How a transmitter is to deliver: push to an endpoint of ours (RFC 8935), or hand out when asked (RFC 8936). */
export type DeliveryRequest =
  | { readonly method: 'push'; readonly endpoint: string; readonly authorization: string }
  | { readonly method: 'poll' };

/** The stream that is wanted. */
export interface StreamRequest {
  readonly delivery: DeliveryRequest;
  /** Event types, as URIs. */
  readonly events: readonly string[];
  /** For the people at the transmitter. */
  readonly description?: string;
}

/** A stream as its transmitter has set it up. */
export interface EventStream {
  readonly id: string;
  readonly issuer: string;
  readonly audience: string | readonly string[];
  /** Where tokens are pushed to, or polled from. */
  readonly endpoint: string;
  /** Types that it will really deliver. */
  readonly eventsDelivered: readonly string[];
}

/** Whether events flow. */
export interface StreamStatus {
  readonly status: 'enabled' | 'paused' | 'disabled';
  readonly reason?: string | undefined;
}

/** Manages this app's streams at one transmitter (SSF 1.0 section 8). Every method throws {@link SignalError}. */
export interface StreamClient {
  /** What the transmitter says about itself. */
  metadata(): Promise<TransmitterMetadata>;
  /** The stream for this delivery: the one that is there, brought up to date, or a new one. Doing it again is fine. */
  ensureStream(request: StreamRequest): Promise<EventStream>;
  /** Has a verification event sent, with `state` in it: the receiver's `onStreamEvent` hears whether it arrives. */
  verify(streamId: string, state?: string): Promise<void>;
  status(streamId: string): Promise<StreamStatus>;
  setStatus(streamId: string, status: StreamStatus['status']): Promise<void>;
  /** Asks for events about a subject (RFC 9493), where a transmitter does not send those about everybody. */
  addSubject(streamId: string, subject: object): Promise<void>;
  removeSubject(streamId: string, subject: object): Promise<void>;
  deleteStream(streamId: string): Promise<void>;
}

/** Options of {@link createStreamClient}. */
export interface StreamClientOptions {
  /** Issuer identifier of the transmitter. */
  readonly issuer: string;
  /** The `Authorization` header that its management API wants; a function is asked before each request. */
  readonly authorization: string | (() => string | Promise<string>);
  readonly fetch?: typeof globalThis.fetch;
}

const pushMethod = 'urn:ietf:rfc:8935';
const pollMethod = 'urn:ietf:rfc:8936';
const streamSchema = z.looseObject({
  stream_id: z.string().min(1),
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  events_requested: z.array(z.string()).optional(),
  events_delivered: z.array(z.string()).optional(),
  delivery: z.looseObject({ method: z.string(), endpoint_url: z.string() }),
});
const statusSchema = z.looseObject({
  status: z.enum(['enabled', 'paused', 'disabled']),
  reason: z.string().optional(),
});
type StreamRecord = z.infer<typeof streamSchema>;
type Endpoint = keyof TransmitterMetadata & `${string}_endpoint`;

/** Makes a client. @throws {ConfigurationError} naming every wrong option. */
export function createStreamClient(options: StreamClientOptions): StreamClient {
  const schema = z.strictObject({
    issuer: secureUrlSchema,
    authorization: z.union([z.string().min(1), z.custom((value) => typeof value === 'function')]),
    fetch: z.custom((value) => typeof value === 'function').optional(),
  });
  checkOptions(schema, options, 'createStreamClient');
  const { issuer, authorization } = options;
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  let known: Promise<TransmitterMetadata> | undefined;

  function metadata(): Promise<TransmitterMetadata> {
    known ??= fetchTransmitterMetadata(issuer, 'ssf-configuration', fetch).catch(
      (error: unknown) => {
        known = undefined;
        throw error;
      },
    );
    return known;
  }

  async function manage(
    endpoint: Endpoint,
    method: string,
    { query, body }: { readonly query?: string; readonly body?: object } = {},
  ): Promise<unknown> {
    const base = (await metadata())[endpoint];
    if (base === undefined)
      throw new SignalError('malformed', { problem: `the transmitter has no ${endpoint}` });
    const url = new URL(base);
    if (query !== undefined) url.searchParams.set('stream_id', query);
    const credentials = typeof authorization === 'string' ? authorization : await authorization();
    const answer = await requestJson({
      url,
      fetch,
      method,
      headers: { authorization: credentials },
      ...(body === undefined ? {} : { body }),
    });
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const { status } = answer;
    throw new SignalError('refused', {
      problem: `the ${endpoint} answered with ${status}`,
      status,
    });
  }

  async function ensureStream(request: StreamRequest): Promise<EventStream> {
    const { delivery, events, description } = request;
    const wanted = {
      events_requested: events,
      delivery:
        delivery.method === 'poll'
          ? { method: pollMethod }
          : {
              method: pushMethod,
              endpoint_url: delivery.endpoint,
              authorization_header: delivery.authorization,
            },
      ...(description === undefined ? {} : { description }),
    };
    const there = (await streams()).find((stream) => isFor(stream, delivery));
    // The credentials cannot be seen, and may have changed: they are sent again.
    const body =
      there === undefined
        ? await manage('configuration_endpoint', 'POST', { body: wanted })
        : await manage('configuration_endpoint', 'PATCH', {
            body: { stream_id: there.stream_id, ...wanted },
          });
    return streamOf(parsed(streamSchema, body, 'stream'), issuer);
  }

  /** Some transmitters answer the one stream there may be, and not a list of it. */
  async function streams(): Promise<StreamRecord[]> {
    const body = await manage('configuration_endpoint', 'GET').catch((error: unknown) => {
      if (error instanceof SignalError && error.status === 404) return [];
      throw error;
    });
    return parsed(z.array(streamSchema), Array.isArray(body) ? body : [body], 'list of streams');
  }

  return {
    metadata,
    ensureStream,
    async verify(streamId, state) {
      const body = { stream_id: streamId, ...(state === undefined ? {} : { state }) };
      await manage('verification_endpoint', 'POST', { body });
    },
    async status(streamId) {
      const body = await manage('status_endpoint', 'GET', { query: streamId });
      const { status, reason } = parsed(statusSchema, body, 'status');
      return { status, reason };
    },
    async setStatus(streamId, status) {
      await manage('status_endpoint', 'POST', { body: { stream_id: streamId, status } });
    },
    async addSubject(streamId, subject) {
      await manage('add_subject_endpoint', 'POST', { body: { stream_id: streamId, subject } });
    },
    async removeSubject(streamId, subject) {
      await manage('remove_subject_endpoint', 'POST', { body: { stream_id: streamId, subject } });
    },
    async deleteStream(streamId) {
      await manage('configuration_endpoint', 'DELETE', { query: streamId });
    },
  };
}

function isFor({ delivery }: StreamRecord, wanted: DeliveryRequest): boolean {
  if (wanted.method === 'poll') return delivery.method === pollMethod;
  return delivery.method === pushMethod && delivery.endpoint_url === wanted.endpoint;
}

function streamOf(record: StreamRecord, issuer: string): EventStream {
  if (record.iss !== issuer)
    throw new SignalError('malformed', { problem: 'the stream is that of another issuer' });
  return {
    id: record.stream_id,
    issuer: record.iss,
    audience: record.aud,
    endpoint: record.delivery.endpoint_url,
    eventsDelivered: record.events_delivered ?? record.events_requested ?? [],
  };
}

function parsed<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new SignalError('malformed', { problem: `the answer is not a ${what}` });
}

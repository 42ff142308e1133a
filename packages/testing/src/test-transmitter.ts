import { randomUUID } from 'node:crypto';
import { serveHandler } from './loopback-handler.ts';
import { createSetSigner, type SigningChoices, setType } from './set-signer.ts';
import { answerTransmitterRequest, type TransmitterParts } from './transmitter-endpoints.ts';
import type { TestStream } from './transmitter-streams.ts';

/** An event to be sent: its type (a URI), whom it is about (RFC 9493), and what it says. */
export interface TransmittedEvent {
  readonly type: string;
  readonly subject: Readonly<Record<string, unknown>>;
  readonly event?: Readonly<Record<string, unknown>>;
  /** Default: a new one. */
  readonly jti?: string;
}

/** What a receiver answered to one pushed token; 0 where it could not be reached. */
export interface PushResult {
  readonly status: number;
  readonly body: string;
}

/** A transmitter of security events (OpenID SSF 1.0) on a loopback port of its own. */
export interface TestTransmitter extends AsyncDisposable {
  /** Its issuer identifier. */
  readonly url: string;
  /** The bearer token that managing and polling streams wants. */
  readonly managementToken: string;
  /** The streams that receivers have set up. */
  readonly streams: readonly TestStream[];
  /** The claims of a correct token about `event`, to be changed and signed. */
  claims(event: TransmittedEvent): Record<string, unknown>;
  /** Signs claims as a token; with `choices` also one that no receiver should accept. */
  sign(claims: Readonly<Record<string, unknown>>, choices?: SigningChoices): Promise<string>;
  /** Sends an event on every stream that is enabled and asked for its type. Answers what receivers of pushes said. */
  send(event: TransmittedEvent): Promise<readonly PushResult[]>;
  /** Pushes a token as it is. */
  push(stream: TestStream, token: string): Promise<PushResult>;
  /** Stops the server and drops its connections. */
  close(): Promise<void>;
}

const caep = 'https://schemas.openid.net/secevent/caep/event-type/';
const risc = 'https://schemas.openid.net/secevent/risc/event-type/';
const supported = [
  ...[
    'session-revoked',
    'token-claims-change',
    'credential-change',
    'assurance-level-change',
    'device-compliance-change',
    'risk-level-change',
  ].map((name) => `${caep}${name}`),
  ...[
    'account-disabled',
    'account-enabled',
    'account-purged',
    'account-credential-change-required',
    'credential-compromise',
    'identifier-changed',
    'identifier-recycled',
  ].map((name) => `${risc}${name}`),
];

/** Starts a transmitter for receivers with this audience. Its keys are new. */
export async function createTestTransmitter(
  options: { readonly audience?: string } = {},
): Promise<TestTransmitter> {
  const { audience = 'https://receiver.example' } = options;
  const signer = await createSetSigner();
  const streams = new Map<string, TestStream>();
  const managementToken = randomUUID();
  const served = await serveHandler((request) => answerTransmitterRequest(request, parts));
  const { url } = served;
  const parts: TransmitterParts = {
    url,
    audience,
    managementToken,
    supported,
    streams,
    jwks: signer.jwks,
    sendToStream: (stream, type, event) =>
      deliver(
        stream,
        claims({ type, subject: { format: 'opaque', id: stream.stream_id }, event: { ...event } }),
      ),
  };

  function claims({ type, subject, event = {}, jti = randomUUID() }: TransmittedEvent) {
    const now = Math.floor(Date.now() / 1000);
    return {
      iss: url,
      aud: audience,
      jti,
      iat: now,
      sub_id: subject,
      events: { [type]: { event_timestamp: now, ...event } },
    };
  }

  async function deliver(
    stream: TestStream,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<PushResult | undefined> {
    const token = await signer.sign(payload);
    if (stream.delivery.method === 'urn:ietf:rfc:8935') return push(stream, token);
    stream.waiting.set(String(payload['jti']), token);
    return undefined;
  }

  async function push({ delivery }: TestStream, token: string): Promise<PushResult> {
    if (delivery.method !== 'urn:ietf:rfc:8935') throw new TypeError('the stream is polled');
    const { authorization_header: authorization } = delivery;
    try {
      const response = await fetch(delivery.endpoint_url, {
        method: 'POST',
        headers: {
          'content-type': `application/${setType}`,
          accept: 'application/json',
          ...(authorization === undefined ? {} : { authorization }),
        },
        body: token,
      });
      return { status: response.status, body: await response.text() };
    } catch (error) {
      return { status: 0, body: error instanceof Error ? error.message : String(error) };
    }
  }

  return {
    url,
    managementToken,
    get streams() {
      return [...streams.values()];
    },
    claims,
    sign: signer.sign,
    async send(event) {
      const payload = claims(event);
      const wanting = [...streams.values()].filter(
        ({ status, events_requested }) =>
          status === 'enabled' && events_requested.includes(event.type),
      );
      const results = await Promise.all(wanting.map((stream) => deliver(stream, payload)));
      return results.filter((result) => result !== undefined);
    },
    push,
    close: served.close,
    [Symbol.asyncDispose]: served.close,
  };
}

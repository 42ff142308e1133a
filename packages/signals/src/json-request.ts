import { readLimited } from './limited-body.ts';
import { SignalError } from './signal-error.ts';

/** A request whose answer is JSON. */
export interface JsonRequest {
  readonly url: string | URL;
  readonly fetch: typeof globalThis.fetch;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of an answer that are read at most. Default 64 KiB. */
  readonly limitBytes?: number;
}

/** A JSON object that came with a status. */
export interface JsonAnswer {
  readonly status: number;
  /** Absent where the answer has no body, or is none that is wanted: only 2xx bodies are read. */
  readonly body?: unknown;
}

const answerLimitBytes = 65_536;
const requestTimeoutMs = 30_000;

/**
 * Sends a request and reads the JSON of a 2xx answer. Redirects are not followed: what is sent may hold credentials.
 *
 * @throws {SignalError} `unreachable` without an answer, `malformed` when a 2xx body is too large or no JSON.
 */
export async function requestJson(request: JsonRequest): Promise<JsonAnswer> {
  const { url, fetch, method = 'GET', headers, body, limitBytes = answerLimitBytes } = request;
  const timeout = AbortSignal.timeout(requestTimeoutMs);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]),
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new SignalError('unreachable', { problem: 'there was no answer', cause: error });
  }
  const { status } = response;
  if (!response.ok) {
    // Not awaited: the connection is freed, and a failure to do so changes nothing.
    response.body?.cancel().catch(() => undefined);
    return { status };
  }
  const text = await readLimited(response, limitBytes).catch((cause: unknown) => {
    throw new SignalError('unreachable', { problem: 'the answer broke off', status, cause });
  });
  if (text === undefined)
    throw new SignalError('malformed', {
      problem: `the answer is larger than ${limitBytes} bytes`,
      status,
    });
  if (text === '') return { status };
  try {
    return { status, body: JSON.parse(text) };
  } catch (error) {
    throw new SignalError('malformed', { problem: 'the answer is not JSON', status, cause: error });
  }
}

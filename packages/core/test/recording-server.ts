import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type ServerResponse,
} from 'node:http';

/** A request as a server got it. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A real server on loopback that remembers every request, and answers as the test says. */
export interface RecordingServer extends AsyncDisposable {
  readonly origin: string;
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** Answers requests from now on; without it, 200 and the request's path. */
  answer(answer: (request: RecordedRequest, response: ServerResponse) => void): void;
  /** Answers with these, one after the other, and then with 200. */
  script(...answers: readonly ScriptedAnswer[]): void;
}

/** One response of a script. */
export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export async function startRecordingServer(): Promise<RecordingServer> {
  const requests: RecordedRequest[] = [];
  let respond = (request: RecordedRequest, response: ServerResponse): void => {
    response.end(request.url);
  };
  const listener: RequestListener = (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = incoming;
      const body = Buffer.concat(chunks).toString('latin1');
      const request = { method, url, headers, rawHeaders, body };
      requests.push(request);
      respond(request, response);
    });
  };
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    answer(answer) {
      respond = answer;
    },
    script(...answers) {
      const left = [...answers];
      respond = (request, response) => {
        const { status, headers = {}, body } = left.shift() ?? { status: 200 };
        response.writeHead(status, headers).end(body ?? request.url);
      };
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A refusal, with a `WWW-Authenticate` header or without. */
export function challenged(status: number, challenge?: string): ScriptedAnswer {
  return challenge === undefined
    ? { status, body: 'refused' }
    : { status, headers: { 'www-authenticate': challenge }, body: 'refused' };
}

/** The refusal of a token that is expired or revoked. */
export const invalidToken: ScriptedAnswer = challenged(
  401,
  'Bearer realm="api", error="invalid_token"',
);

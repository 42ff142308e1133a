import { randomUUID } from 'node:crypto';
import { createTestUsers, type TestUser } from './issuer-users.ts';
import { serveHandler } from './loopback-handler.ts';
import { answerScim, scimMediaType } from './scim-users.ts';

/**
 * How a directory is away: `refused` drops the connection, `failing` answers 503, `silent` never answers.
 */
export type DirectoryOutage = 'refused' | 'failing' | 'silent';

/** A directory of people on a loopback port of its own: SCIM 2.0 and an AuthZEN decision point. */
export interface TestDirectory extends AsyncDisposable {
  readonly url: string;
  /** Base URL of SCIM: `GET {scimUrl}/Users/{id}`, and `PATCH` of `active` with the admin token. */
  readonly scimUrl: string;
  readonly adminToken: string;
  /** How often it was asked. */
  readonly asked: number;
  /** While set, nobody gets an answer. */
  outage: DirectoryOutage | undefined;
  /** The user with this id, created at first mention, active. */
  user(subject: string): TestUser;
  /** Stops the server and drops its connections. */
  close(): Promise<void>;
}

/**
 * Starts a directory. Its AuthZEN 1.0 endpoint (`POST /access/v1/evaluation`, found through
 * `/.well-known/authzen-configuration`) permits whatever an active user wants.
 */
export async function createTestDirectory(): Promise<TestDirectory> {
  const users = createTestUsers();
  const adminToken = randomUUID();
  const state: { outage: DirectoryOutage | undefined; asked: number } = {
    outage: undefined,
    asked: 0,
  };

  async function answer(request: Request): Promise<Response> {
    const { pathname, origin } = new URL(request.url);
    if (state.outage === 'failing') return new Response('maintenance', { status: 503 });
    if (pathname === '/.well-known/authzen-configuration')
      return Response.json({
        policy_decision_point: origin,
        access_evaluation_endpoint: `${origin}/access/v1/evaluation`,
      });
    if (pathname === '/access/v1/evaluation') return decide(await request.json());
    const found = await answerScim(users, adminToken, {
      method: request.method,
      path: pathname,
      authorization: request.headers.get('authorization'),
      body: () => request.text(),
    });
    if (found === undefined) return new Response('not found', { status: 404 });
    return new Response(JSON.stringify(found.body), {
      status: found.status,
      headers: { 'content-type': scimMediaType },
    });
  }

  function decide(body: unknown): Response {
    const { subject, action, resource } = body as Record<string, { id?: unknown; name?: unknown }>;
    if (subject?.id === undefined || action?.name === undefined || resource?.id === undefined)
      return Response.json({ error: 'invalid_request' }, { status: 400 });
    return Response.json({ decision: users.isActive(String(subject.id)) });
  }

  const served = await serveHandler(answer, (request) => {
    state.asked += 1;
    if (state.outage === 'refused') request.socket.destroy();
    return state.outage === 'refused' || state.outage === 'silent';
  });
  return {
    url: served.url,
    scimUrl: `${served.url}/scim/v2`,
    adminToken,
    get asked() {
      return state.asked;
    },
    get outage() {
      return state.outage;
    },
    set outage(outage) {
      state.outage = outage;
    },
    user: users.user,
    close: served.close,
    [Symbol.asyncDispose]: served.close,
  };
}

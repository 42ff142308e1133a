import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { Actor } from './access-token-facts.ts';
import { type ApiRoutes, routeTable } from './api-routes.ts';
import { closeServer, listenOnLoopback } from './loopback-server.ts';
import { createProofChecker } from './proof-of-possession.ts';
import type { TestIssuer } from './test-issuer.ts';
import {
  insufficientScope,
  insufficientUserAuthentication,
  invalidProof,
  invalidToken,
  nonceWanted,
  type StepUp,
  unauthenticated,
} from './token-challenge.ts';
import { sendWebResponse, toWebRequest } from './web-request.ts';

/** Options of `createProtectedApi`. */
export interface ProtectedApiOptions {
  /** Whose access tokens the API accepts. */
  readonly issuer: Pick<TestIssuer, 'accessToken'>;
  readonly routes: ApiRoutes;
  /** Resource indicator that a token's audience must contain; absent accepts tokens for any resource. */
  readonly audience?: string;
}

/** A request that was let through to its handler. It holds no token. */
export interface AcceptedRequest {
  readonly method: string;
  readonly path: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Who acted for the subject, as the token says (RFC 8693 section 4.1). */
  readonly actor?: Actor;
  /** The `Idempotency-Key` header. */
  readonly idempotencyKey: string | undefined;
  /** Epoch ms. */
  readonly at: number;
}

/** A resource server (RFC 6750) on a loopback port of its own. */
export interface ProtectedApi extends AsyncDisposable {
  readonly url: string;
  /** Requests that reached a handler, in the order of their arrival. */
  readonly accepted: readonly AcceptedRequest[];
  /** SHA-256 (hex) of every token value that was presented, good or bad. */
  readonly tokensSeen: ReadonlySet<string>;
  /** While set, every request with a good token is asked for a step up (RFC 9470). */
  requireStepUp: StepUp | undefined;
  /** Whether a DPoP proof needs a nonce of this API (RFC 9449 section 9); default `false`. */
  proofNonces: boolean;
  /** The raw values behind `tokensSeen`: canaries to search a run's traces for. Keep them out of logs. */
  tokens(): readonly string[];
  /** Answers the next `count` requests that carry a token with 401 `invalid_token`, though it may be good. */
  rejectNext(count: number): void;
  /** Stops the server and drops its connections. */
  close(): Promise<void>;
}

/**
 * Starts a resource server for the tokens of a test issuer. It notices what the issuer notices: expiry, revocation,
 * a disabled user (for JWT access tokens: expiry only), and a token that is bound to a key and comes without a proof
 * of it (RFC 9449). Requests to no route are 404 and need no token.
 *
 * @throws {TypeError} when a route is not named like `GET /tickets/:id`.
 */
export async function createProtectedApi(options: ProtectedApiOptions): Promise<ProtectedApi> {
  const { issuer, audience } = options;
  const find = routeTable(options.routes);
  const accepted: AcceptedRequest[] = [];
  const tokens = new Set<string>();
  const tokensSeen = new Set<string>();
  let rejections = 0;
  const checkProof = createProofChecker(() => api.proofNonces);

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const found = find(request.method, pathname);
    if (!found) return Response.json({ error: 'not_found' }, { status: 404 });

    const { scheme, token } = presentedToken(request);
    if (token === undefined) return unauthenticated();
    tokens.add(token);
    tokensSeen.add(createHash('sha256').update(token).digest('hex'));
    if (rejections > 0) {
      rejections -= 1;
      return invalidToken();
    }
    const facts = await issuer.accessToken(token);
    if (!facts || (audience !== undefined && !facts.audience.includes(audience))) {
      return invalidToken();
    }
    const proof = await checkProof(request.headers.get('dpop') ?? undefined, {
      method: request.method,
      url: `${url}${pathname}`,
      accessToken: token,
    });
    if (proof.status === 'nonceWanted') return nonceWanted(proof.nonce);
    if (proof.status === 'bad') return invalidProof(proof.problem);
    const thumbprint = proof.status === 'good' ? proof.thumbprint : undefined;
    // A bound token that comes as a bearer token is refused too: whoever stole it would send it so.
    if (thumbprint !== facts.keyThumbprint || (scheme === 'dpop') !== (thumbprint !== undefined))
      return invalidToken();
    if (api.requireStepUp) return insufficientUserAuthentication(api.requireStepUp);
    const { subject, scopes, actor } = facts;
    if (!found.route.scopes.every((scope) => scopes.includes(scope))) {
      return insufficientScope(found.route.scopes);
    }
    accepted.push({
      method: request.method,
      path: pathname,
      subject,
      scopes,
      ...(actor === undefined ? {} : { actor }),
      idempotencyKey: request.headers.get('idempotency-key') ?? undefined,
      at: Date.now(),
    });
    return found.route.handle(request, { subject, scopes, params: found.params });
  }

  const server = createServer(async (request, response) => {
    try {
      await sendWebResponse(await answer(await toWebRequest(request, url)), response);
    } catch (error) {
      // What a handler throws is for the test's author to see, not for the agent under test to interpret.
      console.error(`protected API: ${request.method} ${request.url} failed`, error);
      response.writeHead(500).end();
    }
  });
  const url = await listenOnLoopback(server);
  const close = (): Promise<void> => closeServer(server);

  const api: ProtectedApi = {
    url,
    accepted,
    tokensSeen,
    requireStepUp: undefined,
    proofNonces: false,
    tokens: () => [...tokens],
    rejectNext(count) {
      rejections = count;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return api;
}

/** The token of an `Authorization` header (RFC 6750 section 2.1, RFC 9449 section 7.1). */
function presentedToken(request: Request): {
  readonly scheme: string;
  readonly token: string | undefined;
} {
  const [name = '', token] = (request.headers.get('authorization') ?? '').split(' ');
  const scheme = name.toLowerCase();
  const isKnown = scheme === 'bearer' || scheme === 'dpop';
  return { scheme, token: isKnown && token ? token : undefined };
}

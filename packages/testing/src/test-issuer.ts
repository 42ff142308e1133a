import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { type AccessTokenFacts, accessTokenReader } from './access-token-facts.ts';
import {
  type BackchannelRequest,
  createBackchannelRequests,
} from './backchannel-authentication.ts';
import { type AuthorizeOptions, walkCodeFlow } from './code-flow.ts';
import { walkDeviceFlow } from './device-flow.ts';
import { registerIdentityAssertion } from './identity-assertion.ts';
import { createFaultPlans, type FaultPlan } from './issuer-faults.ts';
import { interactionPages } from './issuer-interactions.ts';
import {
  createIssuerLedger,
  type GrantState,
  type IssuedToken,
  type IssuerCounters,
  type IssuerLedger,
  type TokenPresentations,
} from './issuer-ledger.ts';
import {
  liveBehaviour,
  type TestIssuerBehaviour,
  type TestIssuerOptions,
} from './issuer-options.ts';
import { createProvider, createSigningKey, type IssuerParts } from './issuer-provider.ts';
import { type SeededGrant, type SeedGrantOptions, seedGrant } from './issuer-seed.ts';
import { createTestUsers, type TestUser } from './issuer-users.ts';
import { closeServer, listenOnLoopback } from './loopback-server.ts';
import { scimUsers } from './scim-users.ts';
import { type Middleware, tokenEndpoint } from './token-endpoint.ts';
import { registerTokenExchange } from './token-exchange.ts';

/** A real authorization server in this process, on a loopback port of its own. */
export interface TestIssuer extends AsyncDisposable {
  /** The issuer identifier, and the base URL of its endpoints. */
  readonly url: string;
  /** Assign to change the issuer's behaviour while it runs. */
  readonly options: TestIssuerBehaviour;
  /** Live: the numbers go on counting. */
  readonly counters: Readonly<IssuerCounters>;
  /** Every grant there ever was, by its id. */
  readonly grants: Readonly<Record<string, GrantState>>;
  /** The bearer token that `PATCH /scim/v2/Users/{id}` wants. */
  readonly adminToken: string;
  /** @throws {Error} when there never was such a grant. */
  grant(grantId: string): GrantState;
  /**
   * How often each refresh token of a grant reached the token endpoint, whatever a fault plan then did to the
   * request. No entry above 1 means that no token was presented twice.
   *
   * @throws {Error} when there never was such a grant.
   */
  presentations(grantId: string): readonly TokenPresentations[];
  /**
   * The raw values of every access and refresh token given out so far, oldest first: canaries to search what a run
   * leaves behind for. Keep them out of logs.
   */
  issuedTokens(): readonly IssuedToken[];
  /**
   * Makes a grant and its first token pair without a browser.
   *
   * @throws {TypeError} when the client, a resource or a scope does not exist.
   */
  seedGrant(options: SeedGrantOptions): Promise<SeededGrant>;
  /** The user with this subject, created at first mention. Set `active` to disable or enable it. */
  user(subject: string): TestUser;
  /** Lets a plan decide which token requests go wrong, until the returned object is disposed. */
  fault(plan: FaultPlan): Disposable;
  /**
   * Walks an authorization request (code + PKCE) through sign-in and consent; answers the callback URL.
   *
   * @throws {Error} when the issuer shows an error page instead of redirecting.
   */
  authorize(url: URL, options: AuthorizeOptions): Promise<URL>;
  /**
   * Walks the page that a device names (`verification_uri_complete`, RFC 8628) through sign-in and consent.
   *
   * @throws {Error} when the issuer shows an error page.
   */
  authorizeDevice(url: URL, options: AuthorizeOptions): Promise<void>;
  /** Requests of clients to people who are elsewhere (OpenID CIBA), oldest first. */
  readonly backchannelRequests: readonly BackchannelRequest[];
  /**
   * Answers such a request as the person would who is asked; `-1` is the newest.
   *
   * @throws {Error} when there is no such request.
   */
  answerBackchannel(position: number, decision: 'allow' | 'deny'): Promise<void>;
  /** What a resource server of this issuer would learn of an access token; nothing when it is not good. */
  accessToken(token: string): Promise<AccessTokenFacts | undefined>;
  /** Stops the server and drops its connections. */
  close(): Promise<void>;
}

/**
 * Starts a test issuer: `oidc-provider` with rotation, reuse detection that revokes the whole grant, resource
 * indicators, revocation, introspection, PKCE, token exchange (RFC 8693; the parameter `requested_expires_in` asks for a
 * lifetime in seconds), identity assertions (ID-JAG) of issuers that it is told to trust, DPoP (RFC 9449), and a fault switch at the token endpoint.
 *
 * @throws {TypeError} when an option is wrong; names the option, what was expected and what came.
 */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const server = createServer();
  const url = await listenOnLoopback(server);
  const parts: IssuerParts = {
    url,
    behaviour: liveBehaviour(url, options),
    scopes: options.scopes ?? ['openid', 'offline_access'],
    ledger: createIssuerLedger(),
    users: createTestUsers(),
    signingKey: await createSigningKey(),
    backchannel: createBackchannelRequests(),
    actors: new WeakMap(),
  };
  const { behaviour, ledger, users } = parts;
  const provider = createProvider(parts, options);
  registerTokenExchange(provider, parts);
  registerIdentityAssertion(provider, parts);
  const plans = createFaultPlans();
  const adminToken = randomUUID();

  provider.use(countersPage(ledger));
  provider.use(scimUsers(users, adminToken));
  provider.use(interactionPages(provider, users));
  provider.use(optionalEndpoints(behaviour, ledger));
  provider.use(tokenEndpoint(behaviour, ledger, plans));
  server.on('request', provider.callback());

  const close = (): Promise<void> => closeServer(server);
  return {
    url,
    options: behaviour,
    counters: ledger.counters,
    get grants() {
      return ledger.grants();
    },
    adminToken,
    grant: ledger.grant,
    presentations: ledger.presentations,
    issuedTokens: ledger.issuedTokens,
    seedGrant: (seed) => seedGrant(provider, parts, seed),
    user: users.user,
    fault: plans.install,
    authorize: (request, person) => walkCodeFlow(url, request, person),
    authorizeDevice: walkDeviceFlow,
    get backchannelRequests() {
      return parts.backchannel.requests;
    },
    answerBackchannel: (position, decision) =>
      parts.backchannel.answer(provider, behaviour, position, decision),
    accessToken: accessTokenReader(provider, users, parts.signingKey),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** `GET /counters`: what other processes may know. */
function countersPage(ledger: IssuerLedger): Middleware {
  return async (context, next) => {
    if (context.path !== '/counters' || context.method !== 'GET') return next();
    context.body = { counters: ledger.counters, grants: ledger.grants() };
  };
}

/** Counts revocations and introspections, and hides introspection while it is switched off. */
function optionalEndpoints(behaviour: TestIssuerBehaviour, ledger: IssuerLedger): Middleware {
  return async (context, next) => {
    if (context.path === '/token/revocation') ledger.counters.revocations += 1;
    if (context.path === '/token/introspection') {
      ledger.counters.introspections += 1;
      if (!behaviour.introspection) return context.throw(404);
    }
    await next();
    if (context.path.startsWith('/.well-known/') && !behaviour.introspection) {
      const metadata = context.body as { introspection_endpoint?: string } | undefined;
      if (metadata) delete metadata.introspection_endpoint;
    }
  };
}

import type {
  DecoupledFlow,
  DecoupledOutcome,
  DecoupledRequest,
  DecoupledStart,
} from './decoupled-authorization.ts';
import type { Secret } from './secret.ts';

/** A token response (RFC 6749 section 5.1), as the runtime keeps it. */
export interface TokenSet {
  readonly accessToken: Secret;
  /** Absent when the issuer did not send one: a refresh then keeps the old one (RFC 6749 section 6). */
  readonly refreshToken?: Secret;
  /** Lower case: `bearer`, `dpop`. */
  readonly tokenType: string;
  /** The key that the access token is bound to (RFC 9449), as a private JWK. */
  readonly proofKey?: Secret;
  /** Lifetime in ms as the issuer said it; absent when it said nothing. */
  readonly expiresInMs?: number;
  /** Absent when the issuer did not say: then what was asked for was granted. */
  readonly scopes?: readonly string[];
  /** Subject of the ID token, where there was one. */
  readonly subject?: string;
  /** The ID token, where the issuer's assertions of identity are wanted and it was found valid. */
  readonly idToken?: Secret;
}

/**
 * What became of a token request, judged by what the issuer may have done with the refresh token.
 *
 * `notSent` is the only outcome after which the same refresh token may be presented again without thought.
 */
export type TokenOutcome =
  /** A usable pair. `salvaged` says why the response failed validation although the pair in it is good. */
  | { readonly outcome: 'granted'; readonly tokens: TokenSet; readonly salvaged?: string }
  /** The issuer certainly did not use the token: it was not reached, or refused before looking (429, invalid_client). */
  | {
      readonly outcome: 'notSent';
      readonly kind: 'transient' | 'rate_limited' | 'misconfigured';
      readonly error: string;
      readonly retryAfterMs?: number;
      readonly cause?: unknown;
    }
  /** `invalid_grant` and its like: the pair is not usable any more. */
  | {
      readonly outcome: 'rejected';
      readonly kind: 'reauthorization_required' | 'step_up_required';
      readonly error: string;
      readonly cause?: unknown;
    }
  /** The issuer refused an exchange, and nothing was used up: only of {@link Issuer.exchange}. */
  | {
      readonly outcome: 'refused';
      readonly kind: 'issuer_refused' | 'step_up_required';
      readonly error: string;
      /** It did issue a token, which is not one to hand out. */
      readonly issued?: true;
      readonly cause?: unknown;
    }
  /** Time-out, dropped connection, 5xx, a refusal after which some issuers have consumed the token: nobody can tell. */
  | {
      readonly outcome: 'unknown';
      readonly kind: 'transient' | 'bad_request' | 'protocol';
      readonly error: string;
      readonly retryAfterMs?: number;
      readonly cause?: unknown;
    };

/** A refresh request (RFC 6749 section 6). */
export interface RefreshRequest {
  readonly refreshToken: Secret;
  /** Narrows the access token; absent asks for all of the grant. */
  readonly scopes?: readonly string[];
  /** RFC 8707 resource indicator. */
  readonly resource?: string;
  /** Binds the access token, and a public client's refresh token, to this key (RFC 9449 section 5). */
  readonly proofKey?: Secret | undefined;
  /** Runs at the last moment before the request leaves; a throw abandons it, and nothing is sent. */
  readonly beforeSend: () => void;
  /** Receives the raw body of a 200 response before anything validates it. Awaited. */
  readonly onResponse: (body: string) => Promise<void>;
}

/** A token that is presented with the name of its type (RFC 8693 section 3). */
export interface TypedToken {
  readonly token: Secret;
  readonly type: string;
}

/** A token exchange (RFC 8693 section 2.1). */
export interface ExchangeRequest {
  /** Speaks for whom the new token is about. */
  readonly subject: TypedToken;
  /** Speaks for who acts; absent: the client that asks. */
  readonly actor?: TypedToken;
  /** Default: an access token. */
  readonly requestedType?: string;
  readonly scopes: readonly string[];
  /** What the new token is for: by resource indicator (RFC 8707), or by the issuer's own name for it. */
  readonly target: { readonly resource?: string; readonly audience?: string };
  /** The issuer's own parameters, e.g. for a lifetime. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** As in {@link RefreshRequest}. */
  readonly proofKey?: Secret | undefined;
  /** As in {@link RefreshRequest}. */
  readonly beforeSend: () => void;
}

/** An authorization server as the runtime uses it. Methods never throw for what the server or the network does. */
export interface Issuer {
  /** Presents the refresh token once. Never retries, and no caller can abort it. */
  refresh(request: RefreshRequest): Promise<TokenOutcome>;
  /** RFC 6749 section 4.4, for service principals. */
  clientCredentials(request: {
    readonly scopes?: readonly string[];
    readonly resource?: string;
    readonly proofKey?: Secret | undefined;
  }): Promise<TokenOutcome>;
  /** Exchanges a token for a narrower one (RFC 8693). Uses nothing up, whatever comes of it. */
  exchange(request: ExchangeRequest): Promise<TokenOutcome>;
  /** Presents an assertion as a grant (RFC 7523 section 2.1). Uses up nothing but the assertion. */
  redeemAssertion(request: {
    readonly assertion: Secret;
    readonly scopes: readonly string[];
    readonly proofKey?: Secret | undefined;
    readonly beforeSend: () => void;
  }): Promise<TokenOutcome>;
  /** Introspects a refresh token (RFC 7662): whether it is untouched. Has no side effect at the issuer. */
  probe(refreshToken: Secret): Promise<'active' | 'inactive' | 'unknown'>;
  /** RFC 7009. `revoked` also for a token the issuer no longer knows; `unsupported` when it revokes no such token. */
  revoke(
    token: Secret,
    kind: 'access_token' | 'refresh_token',
  ): Promise<'revoked' | 'failed' | 'unsupported'>;
  /** Starts the authorization code flow: code + PKCE (RFC 7636). */
  authorizationUrl(request: {
    readonly redirectUri: string;
    readonly scopes: readonly string[];
    readonly resources?: readonly string[];
    readonly state: string;
    readonly codeVerifier: Secret;
    /** Binds the code to this key, too (RFC 9449 section 10). */
    readonly proofKey?: Secret | undefined;
    readonly nonce?: string;
    readonly loginHint?: string;
    readonly parameters?: Readonly<Record<string, string>>;
  }): Promise<URL>;
  /** Redeems the callback: checks `state` and `iss` (RFC 9207) before the code is sent. */
  exchangeCode(request: {
    readonly callbackUrl: URL;
    readonly redirectUri: string;
    readonly state: string;
    readonly codeVerifier: Secret;
    readonly proofKey?: Secret | undefined;
    readonly nonce?: string;
  }): Promise<TokenOutcome>;
  /**
   * Starts an authorization that the person gives elsewhere: at a device page, or on a phone.
   *
   * @throws {AuthError} when the issuer cannot be reached, has no such endpoint, or refuses.
   */
  startDecoupled(request: DecoupledRequest): Promise<DecoupledStart>;
  /** Asks once whether the person has answered; `proofKey` binds the tokens (RFC 9449). */
  pollDecoupled(
    flow: DecoupledFlow,
    code: Secret,
    proofKey: Secret | undefined,
  ): Promise<DecoupledOutcome>;
  /** Reads tokens out of a raw token response that was journaled before a crash. */
  parse(body: string): TokenSet | undefined;
}

/** What the issuer does when a refresh token that was already rotated comes again. */
export type RefreshTokenReuse =
  /** Reuse revokes the whole grant (RFC 9700 section 4.14.2). */
  | 'strict'
  /** Within `leewayMs` after its first use the token is rotated once more; later it is `strict`. */
  | { readonly leewayMs: number }
  /** The token keeps working until its replacement is used for the first time; later it is `strict`. */
  | 'untilChildUsed';

/** A client registered at the test issuer. */
export interface TestClient {
  readonly clientId: string;
  /** Absent makes it a public client. */
  readonly clientSecret?: string;
  /** How a confidential client authenticates (RFC 6749 section 2.3.1); default `client_secret_basic`. */
  readonly authentication?: 'client_secret_basic' | 'client_secret_post';
  readonly redirectUris?: readonly string[];
}

/** The protected resources an issuer mints tokens for: RFC 8707 resource indicator to scopes. */
export type TestResources = Record<string, { readonly scopes: readonly string[] }>;

/** Behaviour that may be changed while the issuer runs: `issuer.options.latencyMs = 500`. */
export interface TestIssuerBehaviour {
  /** Default 5000. At least 1000; rounded up to whole seconds, the unit of `expires_in`. */
  accessTokenLifetimeMs: number;
  /** Default one day. At least 1000; rounded up to whole seconds. */
  refreshTokenLifetimeMs: number;
  /** Default `strict`. */
  reuse: RefreshTokenReuse;
  /** Whether a refresh replaces the refresh token; default `true`. */
  rotate: boolean;
  /** How long the token endpoint waits before it processes a request; default 0. */
  latencyMs: number;
  /** Default `opaque`. A `jwt` (RFC 9068) can't be revoked or introspected, as with most issuers. */
  accessTokenFormat: 'opaque' | 'jwt';
  /** Whether there is an introspection endpoint (RFC 7662); default `true`. */
  introspection: boolean;
  /** What the RFC 7009 revocation of one access token ends: its whole grant (default) or that token alone. */
  accessTokenRevocation: 'grant' | 'token';
  /** Whether earlier access tokens of a grant outlive its rotation; default `valid`. */
  accessTokenAfterRotation: 'valid' | 'revoked';
  /** Whether an exchanged token (RFC 8693) lives on a grant of its own (default) or on that of its subject token. */
  exchangedTokenGrant: 'own' | 'subject';
  /** Whether the token endpoint wants a nonce in DPoP proofs (RFC 9449 section 8); default `false`. */
  proofNonces: boolean;
  /** Issuers whose identity assertions (ID-JAG) are taken for grants; default none. */
  identityProviders: readonly string[];
  /** Default: `${issuer.url}/api` with the scopes `read`, `write` and `admin`. The first one serves requests that name none. */
  resources: TestResources;
}

/** Options of `createTestIssuer`. */
export interface TestIssuerOptions extends Partial<TestIssuerBehaviour> {
  /** Default: the confidential client `agent` (secret `agent-secret`) and the public client `cli`. */
  readonly clients?: readonly TestClient[];
  /** Scopes that belong to no resource; default `openid` and `offline_access`. */
  readonly scopes?: readonly string[];
}

/** The clients an issuer has when none are given. */
export const defaultClients: readonly TestClient[] = [
  {
    clientId: 'agent',
    clientSecret: 'agent-secret',
    redirectUris: ['http://127.0.0.1:9999/callback'],
  },
  { clientId: 'cli', redirectUris: ['http://127.0.0.1:9999/callback'] },
];

/** Defaults and given options as one object that checks every later assignment. */
export function liveBehaviour(url: string, options: TestIssuerOptions): TestIssuerBehaviour {
  const { clients: _clients, scopes: _scopes, ...given } = options;
  const behaviour: TestIssuerBehaviour = {
    accessTokenLifetimeMs: 5000,
    refreshTokenLifetimeMs: 24 * 60 * 60 * 1000,
    reuse: 'strict',
    rotate: true,
    latencyMs: 0,
    accessTokenFormat: 'opaque',
    introspection: true,
    accessTokenRevocation: 'grant',
    accessTokenAfterRotation: 'valid',
    exchangedTokenGrant: 'own',
    proofNonces: false,
    identityProviders: [],
    resources: { [`${url}/api`]: { scopes: ['read', 'write', 'admin'] } },
    ...given,
  };
  for (const [field, value] of Object.entries(behaviour)) check(field, value);
  return new Proxy(behaviour, {
    set(target, field, value): boolean {
      check(String(field), value);
      return Reflect.set(target, field, value);
    },
  });
}

/** A lifetime in the whole seconds that OAuth speaks. */
export function wholeSeconds(lifetimeMs: number): number {
  return Math.ceil(lifetimeMs / 1000);
}

const expectations: Record<keyof TestIssuerBehaviour, [string, (value: unknown) => boolean]> = {
  accessTokenLifetimeMs: ['a number of at least 1000', (value) => isNumberFrom(1000, value)],
  refreshTokenLifetimeMs: ['a number of at least 1000', (value) => isNumberFrom(1000, value)],
  reuse: ["'strict', 'untilChildUsed' or { leewayMs } of at least 0", isReuse],
  rotate: ['a boolean', isBoolean],
  latencyMs: ['a number of at least 0', (value) => isNumberFrom(0, value)],
  accessTokenFormat: ["'opaque' or 'jwt'", (value) => value === 'opaque' || value === 'jwt'],
  introspection: ['a boolean', isBoolean],
  accessTokenRevocation: ["'grant' or 'token'", (value) => value === 'grant' || value === 'token'],
  accessTokenAfterRotation: [
    "'valid' or 'revoked'",
    (value) => value === 'valid' || value === 'revoked',
  ],
  exchangedTokenGrant: ["'own' or 'subject'", (value) => value === 'own' || value === 'subject'],
  proofNonces: ['a boolean', isBoolean],
  identityProviders: ['a list of URLs', (value) => Array.isArray(value) && value.every(isUrl)],
  resources: ['a record of resource indicator to { scopes }, with one entry or more', isResources],
};

function check(field: string, value: unknown): void {
  if (!isBehaviour(field)) {
    throw new TypeError(
      `test issuer: there is no option '${field}'; there are ${Object.keys(expectations).join(', ')}`,
    );
  }
  const [expected, holds] = expectations[field];
  if (!holds(value)) {
    throw new TypeError(
      `test issuer: ${field} must be ${expected}, not ${JSON.stringify(value) ?? String(value)}`,
    );
  }
}

function isBehaviour(field: string): field is keyof TestIssuerBehaviour {
  return Object.hasOwn(expectations, field);
}

function isNumberFrom(minimum: number, value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= minimum;
}

function isUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value);
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function isReuse(value: unknown): boolean {
  if (value === 'strict' || value === 'untilChildUsed') return true;
  return (
    typeof value === 'object' &&
    value !== null &&
    'leewayMs' in value &&
    isNumberFrom(0, value.leewayMs)
  );
}

function isResources(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const resources = Object.entries(value);
  return (
    resources.length > 0 &&
    resources.every(
      ([indicator, resource]) => URL.canParse(indicator) && Array.isArray(resource?.scopes),
    )
  );
}

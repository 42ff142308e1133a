/** What an issuer does with an earlier refresh token once it has issued the next one. */
export type RotationBehaviour =
  /** Presenting a used token revokes the session at once (RFC 9700 section 4.14.2). */
  | 'strict'
  /** The previous token goes on working for a while; see `leewayMs`. */
  | 'leeway'
  /** The previous token goes on working until its child is first used. */
  | 'untilChildUsed'
  /** Refresh tokens are not rotated. */
  | 'none';

/** How an issuer behaves where the standards leave room. What is not known should be left at its careful default. */
export interface IssuerProfile {
  readonly rotation: RotationBehaviour;
  /** With `leeway`: how long, ms. */
  readonly leewayMs: number;
  /** Whether a refresh token may be introspected (RFC 7662): a way to learn, without side effects, whether it was used. */
  readonly probe: boolean;
  /** Whether rotation kills the access tokens issued before it. */
  readonly accessTokenAfterRotation: 'valid' | 'revoked';
  /** What revoking one access token (RFC 7009 section 2.1) ends: that token, or the whole grant. */
  readonly accessTokenRevocation: 'token' | 'grant';
  /** Whether an exchanged token (RFC 8693) lives on a grant of its own, or on the one of its subject token. */
  readonly exchangedTokenGrant: 'own' | 'subject';
  /** How long an access token can live at most, ms: for how long one is counted whose response was lost. */
  readonly longestAccessTokenMs: number;
  /**
   * When nothing tells whether a refresh token was used: present it once more (it may save a person a sign-in;
   * if it was used, the session had to be authorized again anyway), or ask for authorization at once.
   */
  readonly whenInDoubt: 'presentOnce' | 'reauthorize';
}

/** The careful defaults: assume that a token presented twice ends the session, and that nothing can be asked. */
export const strictIssuer: IssuerProfile = {
  rotation: 'strict',
  leewayMs: 0,
  probe: false,
  accessTokenAfterRotation: 'valid',
  accessTokenRevocation: 'grant',
  exchangedTokenGrant: 'subject',
  longestAccessTokenMs: 3_600_000,
  whenInDoubt: 'presentOnce',
};

/** Issuers whose behaviour is documented. */
export type KnownIssuer = 'okta' | 'entra' | 'google' | 'keycloak' | 'hydra' | 'oidcProvider';

/**
 * Profiles of well-known issuers, as their own documentation describes their default settings. A starting point:
 * check your tenant's settings. An issuer whose overlap period is yours to set (Auth0, Cognito, Curity) is
 * `{ rotation: 'leeway', leewayMs }` with your number.
 */
export const issuerProfiles: Readonly<Record<KnownIssuer, IssuerProfile>> = {
  /** Grace period, 30 s by default. */
  okta: { ...strictIssuer, rotation: 'leeway', leewayMs: 30_000, probe: true },
  /** New token each time; old ones are not revoked. */
  entra: { ...strictIssuer, rotation: 'none' },
  google: { ...strictIssuer, rotation: 'none' },
  /** Strict with "Revoke Refresh Token"; introspection answers for refresh tokens. */
  keycloak: { ...strictIssuer, probe: true },
  /** The earlier access token is revoked at rotation. */
  hydra: { ...strictIssuer, accessTokenAfterRotation: 'revoked', probe: true },
  oidcProvider: { ...strictIssuer, probe: true },
};

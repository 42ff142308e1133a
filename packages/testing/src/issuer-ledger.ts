/** What an issuer has counted since it started. */
export interface IssuerCounters {
  /** Requests that reached the token endpoint, whatever became of them. */
  tokenRequests: number;
  /** Those of them with `grant_type=refresh_token`. */
  refreshRequests: number;
  /** Refreshes that the issuer granted, also when a fault then lost the response. */
  refreshes: number;
  /** Token exchanges (RFC 8693) that were asked for, and those of them that were granted. */
  exchanges: number;
  exchanged: number;
  /** Assertions (RFC 7523) that were presented, whatever became of them. */
  assertions: number;
  /** Presentations of a consumed refresh token that were treated as theft. */
  reuseDetected: number;
  /** Grants revoked as a whole, by reuse detection or by a revocation request. */
  grantsKilled: number;
  /** Requests to the revocation endpoint (RFC 7009). */
  revocations: number;
  /** Requests to the introspection endpoint (RFC 7662). */
  introspections: number;
}

/** What the issuer knows of one grant. */
export interface GrantState {
  /** False once the grant was revoked. */
  readonly alive: boolean;
  /** Refreshes granted for it: how many token pairs followed the first. */
  readonly generations: number;
}

/** How often one refresh token reached the token endpoint; the value itself is never shown. */
export interface TokenPresentations {
  /** 0 is the grant's first refresh token, 1 the next one issued, and so on. */
  readonly ordinal: number;
  readonly times: number;
}

/** The issuer's own books, kept apart from what oidc-provider stores. */
export interface IssuerLedger {
  readonly counters: IssuerCounters;
  grantStarted(grantId: string): void;
  grantEnded(grantId: string): void;
  /** A grant that was never written down counts as alive. */
  isEnded(grantId: string): boolean;
  refreshTokenIssued(grantId: string, value: string): void;
  refreshTokenPresented(value: string): void;
  refreshed(grantId: string): void;
  grants(): Readonly<Record<string, GrantState>>;
  /** @throws {Error} when there never was such a grant. */
  grant(grantId: string): GrantState;
  /** @throws {Error} when there never was such a grant. */
  presentations(grantId: string): readonly TokenPresentations[];
  /** Notes the values in a token response; anything else is ignored. */
  tokensIssued(response: unknown): void;
  /** Every value noted, in the order in which they were issued. */
  issuedTokens(): readonly IssuedToken[];
}

/** One token the issuer gave out, also when a fault then lost the response. */
export interface IssuedToken {
  readonly type: 'access_token' | 'refresh_token';
  readonly value: string;
}

const tokenTypes = ['access_token', 'refresh_token'] as const;

interface GrantEntry {
  alive: boolean;
  generations: number;
  readonly presentedTimes: Map<string, number>;
}

/** Starts empty books. */
export function createIssuerLedger(): IssuerLedger {
  const entries = new Map<string, GrantEntry>();
  const grantOfToken = new Map<string, GrantEntry>();
  const issued = new Map<string, IssuedToken>();
  const counters: IssuerCounters = {
    tokenRequests: 0,
    refreshRequests: 0,
    refreshes: 0,
    exchanges: 0,
    exchanged: 0,
    assertions: 0,
    reuseDetected: 0,
    grantsKilled: 0,
    revocations: 0,
    introspections: 0,
  };

  const known = (grantId: string): GrantEntry => {
    const entry = entries.get(grantId);
    if (!entry) throw new Error(`test issuer: there is no grant '${grantId}'`);
    return entry;
  };
  const state = (entry: GrantEntry): GrantState => ({
    alive: entry.alive,
    generations: entry.generations,
  });

  return {
    counters,
    grantStarted(grantId) {
      if (entries.has(grantId)) return;
      entries.set(grantId, { alive: true, generations: 0, presentedTimes: new Map() });
    },
    grantEnded(grantId) {
      const entry = entries.get(grantId);
      if (!entry?.alive) return;
      entry.alive = false;
      counters.grantsKilled += 1;
    },
    isEnded: (grantId) => entries.get(grantId)?.alive === false,
    refreshTokenIssued(grantId, value) {
      const entry = known(grantId);
      if (entry.presentedTimes.has(value)) return;
      entry.presentedTimes.set(value, 0);
      grantOfToken.set(value, entry);
    },
    refreshTokenPresented(value) {
      const entry = grantOfToken.get(value);
      if (entry) entry.presentedTimes.set(value, (entry.presentedTimes.get(value) ?? 0) + 1);
    },
    refreshed(grantId) {
      counters.refreshes += 1;
      known(grantId).generations += 1;
    },
    grants: () =>
      Object.fromEntries([...entries].map(([grantId, entry]) => [grantId, state(entry)])),
    grant: (grantId) => state(known(grantId)),
    presentations: (grantId) =>
      [...known(grantId).presentedTimes.values()].map((times, ordinal) => ({ ordinal, times })),
    tokensIssued(response) {
      if (typeof response !== 'object' || response === null) return;
      for (const type of tokenTypes) {
        const value: unknown = Reflect.get(response, type);
        if (typeof value === 'string') issued.set(value, { type, value });
      }
    },
    issuedTokens: () => [...issued.values()],
  };
}

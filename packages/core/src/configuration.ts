import type { ActorTokenSource } from './actor-token.ts';
import type { AuditProblem } from './audit-problem.ts';
import type { AuditSink } from './audit-sink.ts';
import type { Clock } from './clock.ts';
import type { DelegationStrategyName } from './delegation.ts';
import type { EscalationPolicy } from './escalation.ts';
import type { Gate, GateSource, UnknownTolerance } from './gate.ts';
import type { HoldListener } from './holds.ts';
import type { IssuerProfile } from './issuer-profile.ts';
import type { Journal } from './journal.ts';
import type { Notifier } from './notifier.ts';
import type { RetentionConfiguration } from './retention.ts';
import type { Authorizer } from './runtime.ts';
import type { Secret } from './secret.ts';
import type { Store } from './store.ts';

/** One OAuth client registration at one issuer. */
export interface ProviderConfiguration {
  /** The issuer identifier: an https URL, or http on loopback. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | Secret;
  /** Default: `client_secret_basic` with a secret, `none` without. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none';
  /** How the issuer behaves where the standards leave room. Default: the careful `strictIssuer`. */
  readonly profile?: Partial<IssuerProfile>;
  /** Default `shared`. */
  readonly delegation?: DelegationStrategyName;
  /** With `identityAssertion`: the provider that has the users' grants and says who they are. */
  readonly assertedBy?: string;
  /** With `tokenExchange`: what this issuer wants besides what RFC 8693 says. */
  readonly exchange?: TokenExchangeConfiguration;
  /** Whether tokens are bound to a key, one for each grant (DPoP, RFC 9449). Default false. */
  readonly dpop?: boolean;
  /** Whether token requests name the resource (RFC 8707). Default false. */
  readonly resourceIndicators?: boolean;
  /** Where the authorization code comes back to; needed for `connect`. */
  readonly redirectUri?: string;
  /** Server metadata (RFC 8414) to use instead of discovery. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** For a proxy or a test; the issuer's own requests go through it. */
  readonly fetch?: typeof globalThis.fetch;
}

/** A token exchange (RFC 8693) as an issuer wants it. */
export interface TokenExchangeConfiguration {
  /**
   * Who acts, for the `act` of the token. Default: the client that asks, without a token of its own.
   * `clientCredentials` sends a token that the client gets for itself (RFC 6749 section 4.4).
   */
  readonly actor?: 'clientCredentials' | ActorTokenSource;
  /** Name of the parameter, if there is one, that asks for a lifetime in seconds; RFC 8693 has none. It gets the task's time. */
  readonly lifetimeParameter?: string;
  /** Further parameters. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** Where a resource lives and who guards it. */
export interface ResourceConfiguration<Scope extends string = string> {
  /** Name of the provider whose tokens it accepts. */
  readonly provider: string;
  /** Relative URLs of tools resolve against it. */
  readonly baseUrl: string;
  readonly scopes: readonly Scope[];
  /** Further origins that the token may go to. */
  readonly allowedOrigins?: readonly string[];
  /** Resource indicator (RFC 8707). Default: the base URL, where the provider takes one. */
  readonly indicator?: string;
  /** The issuer's own name for it (RFC 8693 section 2.1), sent with an exchange instead of the resource indicator. */
  readonly audience?: string;
}

/** The app's rules. Times in ms. */
export interface PolicyConfiguration {
  /** Who must confirm before a paused task goes on. Default: by effect, see `defaultEscalation`. */
  readonly escalate?: EscalationPolicy;
  /** Says who decides. Needed for `decide`. */
  readonly authorize?: Authorizer;
  /** Default 30 000. */
  readonly requestTimeoutMs?: number;
  /** Default: the request time-out. */
  readonly settleMs?: number;
  /** Default 5 000, at most half of the request time-out and the settle time together. */
  readonly sendByMs?: number;
  /** Default 60 000. */
  readonly journalGraceMs?: number;
  /** Default 90 000. */
  readonly maxWaitMs?: number;
  /** Lifetime of a token whose issuer does not say `expires_in`. Default 300 000. */
  readonly defaultLifetimeMs?: number;
  /** Default 24 h. */
  readonly maxLifetimeMs?: number;
  /** Default 7 days. */
  readonly pauseExpiresMs?: number;
  /** Default 5 000. */
  readonly claimWaitMs?: number;
  /** How often this process does background work; 0 leaves it to your own calls of `maintain()`. Default 5 000. */
  readonly maintainMs?: number;
  /** How long what is over is kept. `maintain()` removes it. */
  readonly retention?: RetentionConfiguration;
  /** How often this process listens for pauses and revocations elsewhere; at most 500. Default 250. */
  readonly stopPollMs?: number;
  /** Default 2 000. */
  readonly gateTimeoutMs?: number;
  /** How long a positive answer of the gate is kept; at most 5 000, the default. */
  readonly gateCacheMs?: number;
  /** Default 30 000. */
  readonly revalidateMs?: number;
  /** After how long without an answer from a gate source `onHold` is called. Default 60 000. */
  readonly holdNoticeAfterMs?: number;
  /** For how long an unknown state is tolerated after the last positive answer. Default: read 120 000, reversible 30 000, irreversible 0. */
  readonly unknownToleranceMs?: Partial<UnknownTolerance>;
}

/** The keys that protect what is stored. */
export interface KeysConfiguration {
  /** Id of the key that new values are sealed with. */
  readonly current: string;
  /** 32 random bytes by key id. */
  readonly ring: Readonly<Record<string, Uint8Array>>;
  /** At least 32 bytes for names and the audit chain. Keep it for as long as the store lives. */
  readonly hash: Uint8Array;
}

/** What {@link createOutlive} takes. */
export interface OutliveOptions<
  Resources extends Record<string, ResourceConfiguration> = Record<string, ResourceConfiguration>,
> {
  readonly store: Store;
  readonly providers: Readonly<Record<string, ProviderConfiguration>>;
  readonly resources: Resources;
  /** Asks whether a principal may still be acted for. Several: the most restrictive answer wins. `alwaysActive` says that nobody is ever stopped. */
  readonly gate: Gate | readonly GateSource[];
  readonly policy?: PolicyConfiguration;
  /** Tell people that a task waits for them. Every process that shares the store has the same ones. */
  readonly notifiers?: readonly Notifier[];
  /** Called once, in one process, when a gate source has been silent for `policy.holdNoticeAfterMs`: tell who runs it. */
  readonly onHold?: HoldListener;
  readonly audit?: {
    readonly sinks?: readonly AuditSink[];
    /**
     * What holds while the store takes no audit entries: they wait in memory (at most 10 000) and work goes on, or
     * calls are refused with `audit_unavailable`. Default `continue`.
     */
    readonly whenStoreFails?: 'continue' | 'stop';
    readonly onProblem?: (problem: AuditProblem) => void;
  };
  /** Needed for every store but the memory store; `unsealed` says out loud that tokens are stored in the clear. */
  readonly keys?: KeysConfiguration | 'unsealed';
  /** Keeps token responses from the moment they arrive until they are stored. */
  readonly journal?: Journal;
  readonly clock?: Clock;
  /** What principals' requests go through. Default: the platform's, captured now. */
  readonly fetch?: typeof globalThis.fetch;
  /** Told of work that goes on in the background: hand it to your platform's `waitUntil`. */
  readonly waitUntil?: (work: Promise<void>) => void;
}

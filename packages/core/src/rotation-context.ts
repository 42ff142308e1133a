import type { AuditEvent } from './audit-event.ts';
import type { Clock } from './clock.ts';
import type { GateMoment } from './gate.ts';
import type { GrantReference } from './grant-import.ts';
import type { GrantRecord, RefreshAttempt } from './grant-record.ts';
import type { Issuer, TokenOutcome, TokenSet } from './issuer.ts';
import type { IssuerProfile } from './issuer-profile.ts';
import type { Journal } from './journal.ts';
import type { Records } from './records.ts';
import type { Secret } from './secret.ts';
import type { RecordIndex, Store } from './store.ts';
import type { Verdict } from './verdict.ts';

/** Times that govern rotation, ms. */
export interface RotationTimes {
  /** A claim that has not been sent by then is given up: a frozen process may wake long after others have recovered. */
  readonly sendByMs: number;
  readonly requestTimeoutMs: number;
  /** How long after an unknown outcome the original request may still arrive at the issuer. */
  readonly settleMs: number;
  /** Further wait for the host whose disk may hold the response. */
  readonly journalGraceMs: number;
  /** How long one call waits for a refresh before it gives up waiting. */
  readonly maxWaitMs: number;
  /** Used when the issuer does not say `expires_in`. */
  readonly defaultLifetimeMs: number;
  /** First and longest wait between attempts that were certainly not processed. */
  readonly backoffMs: readonly [number, number];
}

/** Everything the rotation of one grant works with. */
export interface RotationContext {
  readonly key: string;
  readonly grant: GrantReference;
  readonly store: Store;
  readonly records: Records;
  readonly clock: Clock;
  readonly random: () => number;
  readonly issuer: Issuer;
  readonly profile: IssuerProfile;
  /** Whether tokens are bound to a key of the grant's own (RFC 9449). */
  readonly bindsTokens: boolean;
  readonly journal: Journal | undefined;
  /** Attempts whose response has come to this process, and whose pair the store does not have yet. */
  readonly unstored: Set<string>;
  readonly times: RotationTimes;
  /** Id of this process. */
  readonly process: string;
  /** Told of work that goes on after the caller has its answer; a serverless app hands it to its `waitUntil`. */
  readonly background: (work: Promise<void>) => void;
  readonly index: (record: GrantRecord) => RecordIndex;
  /** `afresh`: not an answer from before this question. */
  readonly gate: (moment: GateMoment, options?: { readonly afresh: true }) => Promise<Verdict>;
  /** Whether the runtime is closed: its store may be next, so nothing is presented any more. */
  readonly closed: () => boolean;
  /** Fetches, before a claim, what the request will need. @throws {AuthError} when it is not to be had. */
  readonly prepare?: () => Promise<void>;
  /** Asks for the token of an exchanged record, instead of presenting a refresh token. */
  readonly exchange?: (request: {
    readonly proofKey: Secret | undefined;
    readonly beforeSend: () => void;
  }) => Promise<TokenOutcome>;
  /** Told of tokens that came too late to be stored: nobody else will ever know of them. */
  readonly orphaned?: (
    attempt: RefreshAttempt,
    tokens: TokenSet,
    issuedAt: number,
  ) => Promise<void>;
  readonly audit: (event: RotationEvent) => void;
  /** The newest entries of the grant's audit stream. */
  readonly recentEvents: () => Promise<readonly AuditEvent[]>;
}

/** An event of a grant, without what every one of them says. */
export type RotationEvent = Omit<AuditEvent, 'at' | 'grant' | 'process' | 'provider'>;

/** What the rotation of every grant of a provider has in common. */
export type RotationParts = Omit<
  RotationContext,
  'key' | 'grant' | 'unstored' | 'gate' | 'closed' | 'audit' | 'recentEvents' | 'index'
>;

/** What a source of tokens works with: one object for all grants of a provider. */
export interface Rotation {
  readonly provider: string;
  readonly parts: RotationParts;
  /** Made when it is needed: of most grants a process only hands out tokens. */
  readonly contextOf: (key: string, reference: GrantReference) => Promise<RotationContext>;
}

/** A claim that landed: this process, and no other, may present the token. */
export interface Claim {
  readonly version: number;
  readonly record: GrantRecord;
  readonly attempt: RefreshAttempt;
  /** Monotonic ms of the claim. */
  readonly claimedAtMs: number;
}

/** A token outcome and the instant (epoch ms) just before its request was sent. */
export interface SentOutcome {
  readonly outcome: TokenOutcome;
  readonly issuedAt: number;
}

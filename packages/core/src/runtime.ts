import type { ActorTokens } from './actor-token.ts';
import type { Audit } from './audit.ts';
import type { AuditEvent } from './audit-event.ts';
import type { Clock } from './clock.ts';
import type { DelegationStrategyName } from './delegation.ts';
import type { Directory } from './directory.ts';
import type { EscalationPolicy } from './escalation.ts';
import type { SlotSpec } from './grant-record.ts';
import type { Grants } from './grants.ts';
import type { Holds } from './holds.ts';
import type { Installation } from './installation.ts';
import type { ExchangeRequest, Issuer } from './issuer.ts';
import type { IssuerProfile } from './issuer-profile.ts';
import type { Journal } from './journal.ts';
import type { KeyedHash } from './keyed-hash.ts';
import type { KillSwitches } from './kill-switches.ts';
import type { Notifier } from './notifier.ts';
import type { Approver, Pause } from './pause-record.ts';
import type { Principal } from './principal.ts';
import type { ProofMaker } from './proof-of-possession.ts';
import type { Records } from './records.ts';
import type { ResourceLocation } from './resource-location.ts';
import type { RetentionConfiguration } from './retention.ts';
import type { StopFeed } from './stop-feed.ts';
import type { Store } from './store.ts';
import type { UserStates } from './user-state.ts';

/** One OAuth client registration at one issuer, ready for use. */
export interface Provider {
  readonly name: string;
  readonly issuerUrl: string;
  readonly issuer: Issuer;
  readonly profile: IssuerProfile;
  readonly delegation: DelegationStrategyName;
  /** Whose grants its tokens are made of: its own, but for identity assertions. */
  readonly grantedBy: string;
  /** How tokens are exchanged, beyond RFC 8693. */
  readonly exchange: {
    readonly parameters: Readonly<Record<string, string>>;
    readonly lifetimeParameter: string | undefined;
  };
  /** Absent: the client that exchanges is the actor. */
  readonly actor: ActorTokens | undefined;
  /** Whether tokens are bound to a key of each grant's own (RFC 9449). */
  readonly bindsTokens: boolean;
  /** Whether token requests name the resource (RFC 8707). */
  readonly resourceIndicators: boolean;
  readonly redirectUri: string | undefined;
}

/** A resource of the app: where it lives and who guards it. */
export interface ProtectedResource {
  readonly name: string;
  readonly provider: string;
  readonly scopes: readonly string[];
  readonly location: ResourceLocation;
  /** Resource indicator (RFC 8707); absent where the provider takes none. */
  readonly indicator: string | undefined;
  /** The grant's own token for it: one object for all whose tasks share it. */
  readonly slot: SlotSpec;
  /** What an exchanged token is asked for. */
  readonly target: ExchangeRequest['target'];
}

/**
 * Says who `by` is. Answers the authenticated person, with the roles they have towards this task and its tenant, or
 * `undefined` to refuse.
 */
export type Authorizer = (request: {
  readonly by: string;
  readonly pause: Pause;
  /** Whose task it is: who is whose manager, and in which tenant, only the app knows. */
  readonly task: { readonly id: string; readonly principal: Principal; readonly agent: string };
}) => Approver | undefined | Promise<Approver | undefined>;

/** The app's rules, with defaults filled in. Times in ms. */
export interface Policy {
  readonly escalate: EscalationPolicy;
  readonly authorize: Authorizer | undefined;
  /** Longest life of a task, waiting included. */
  readonly maxLifetimeMs: number;
  /** How long a pause may be decided. */
  readonly pauseExpiresMs: number;
  /** How long somebody's resumption may stand still before another process takes it over. */
  readonly claimWaitMs: number;
  /** How long what is known of a task is believed without asking the store, should the news of a change be lost. */
  readonly revalidateMs: number;
  /** How often background work is looked for. */
  readonly maintainMs: number;
  readonly retention: RetentionConfiguration & { readonly stopNotices: number };
}

/** The parts that everything in the core works with. Made once, by `createOutlive`. */
export interface Runtime {
  readonly store: Store;
  readonly records: Records;
  readonly clock: Clock;
  readonly random: () => number;
  readonly keyedHash: KeyedHash;
  readonly installation: Installation;
  readonly journal: Journal | undefined;
  readonly audit: Audit;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly resources: ReadonlyMap<string, ProtectedResource>;
  readonly policy: Policy;
  readonly notifiers: readonly Notifier[];
  readonly userStates: UserStates;
  readonly holds: Holds;
  readonly killSwitches: KillSwitches;
  readonly directory: Directory;
  readonly feed: StopFeed;
  readonly grants: Grants;
  readonly fetch: typeof globalThis.fetch;
  /** Tells the platform of work that goes on when the answer has been given. */
  readonly background: (work: Promise<void>) => void;
  readonly proofs: ProofMaker;
  /** Id of this process, drawn at start. */
  readonly process: string;
}

/** Fills in what every audit event of this process carries. */
export function stamped(
  runtime: Pick<Runtime, 'clock' | 'process'>,
  event: Omit<AuditEvent, 'at' | 'process'>,
): AuditEvent {
  return { ...event, at: runtime.clock.now(), process: runtime.process };
}

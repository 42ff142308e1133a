import type {
  DelegationStrategyName,
  IssuerProfile,
  KeysConfiguration,
  PolicyConfiguration,
} from '@outlive/core';
import type { StorePlace } from './shared-store.ts';

/** Where a process stops until it is told to go on: named moments of one rotation. */
export type HoldPoint =
  /** The claim is durable; nothing was sent. */
  | 'claimed'
  /** The issuer has answered; the new pair is nowhere but in this process. */
  | 'settling'
  /** The new pair is in the store; nobody has been told. */
  | 'settled';

/** What a process is started with. Crosses the process boundary, so it is plain data. */
export interface AgentSetup {
  readonly issuerUrl: string;
  readonly apiUrl: string;
  readonly storePath: string;
  /** Where the store is instead, which may have a server. */
  readonly place?: StorePlace;
  readonly keys: KeysConfiguration;
  readonly profile?: Partial<IssuerProfile>;
  readonly delegation?: DelegationStrategyName;
  /** Whether tokens are bound to a key of the grant (RFC 9449). */
  readonly dpop?: boolean;
  readonly policy?: Omit<PolicyConfiguration, 'authorize' | 'escalate'>;
  /** How long the store waits for the lock of another writer, ms. */
  readonly busyTimeoutMs?: number;
  /** How far the wall clock of the process is ahead, ms. */
  readonly clockAheadMs?: number;
  readonly holdAt?: HoldPoint;
  /** People who are asked: the user for so long, then an admin, by a webhook. */
  readonly ladder?: {
    readonly url: string;
    readonly secret: Uint8Array;
    readonly userForMs: number;
  };
  /** Directory of a journal that keeps responses from the moment they arrive: processes of one host have the same. */
  readonly journal?: string;
}

/** What a process says without being asked. */
export type AgentEvent =
  | HoldPoint
  /** It has begun to wait for what another process makes of the grant. */
  | 'waiting'
  /** A write to the grant has thrown. */
  | 'write-failed'
  /** The loop of `askUntilRefused` has had its first token. */
  | 'asking';

/** An error as another process sees it. */
export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly reason?: string;
  /** Id of the pause that an AuthError names. */
  readonly ref?: string;
  /** Of the errors it was caused by, the nearest first. */
  readonly causes: readonly string[];
}

/** The principal of every test here. */
export const principal = { subject: 'alice' } as const;

/** A call that changes nothing. */
export const readItems = { resource: 'api', scopes: ['read'], effect: 'read' } as const;

/** A call that must not happen twice. */
export const sendPayment = { resource: 'api', scopes: ['write'], effect: 'irreversible' } as const;

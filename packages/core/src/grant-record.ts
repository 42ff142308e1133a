import type { TokenSet } from './issuer.ts';
import type { Principal } from './principal.ts';
import type { Secret } from './secret.ts';

/**
 * Which access token of a grant a caller wants. A grant has one refresh token and many slots: tasks with other
 * scopes or another resource hold other access tokens of the same grant.
 */
export interface SlotSpec {
  /** Canonical: the same key always means the same scopes, resource and delegation. */
  readonly key: string;
  /** Narrower than the grant (RFC 6749 section 6); absent asks for all of it. */
  readonly scopes?: readonly string[];
  /** Resource indicator (RFC 8707). */
  readonly resource?: string;
}

/** An access token and when to stop using it. */
export interface AccessTokenSlot {
  readonly accessToken: Secret;
  /** `bearer`, or `dpop` with a `proofKey`. */
  readonly tokenType: string;
  /** The key that each request with the token has to prove (RFC 9449), as a private JWK. */
  readonly proofKey?: Secret;
  /** The generation of the grant that minted it. */
  readonly generation: number;
  readonly scopes?: readonly string[];
  /** Epoch ms, from the instant before the request was sent. */
  readonly issuedAt: number;
  /** Epoch ms from which it is refreshed in the background: drawn once per generation, 70 to 80 % of the lifetime. */
  readonly dueAt: number;
  /** Epoch ms from which it is not handed out any more. */
  readonly unusableAt: number;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** A claim on the one presentation of a refresh token, written before the request is sent. */
export interface RefreshAttempt {
  readonly id: string;
  /** The process that claimed. */
  readonly owner: string;
  /** Names the disk its journal is on. */
  readonly journalHost?: string;
  readonly slot: SlotSpec;
  /** Epoch ms on the owner's clock. Only the owner compares it with its own clock. */
  readonly startedAt: number;
  /** When the first attempt of this lineage started: what an issuer's leeway counts from. */
  readonly firstStartedAt: number;
  /** Which refresh token is presented: a digest, so that a late pair can be matched to its parent. */
  readonly fingerprint: string;
  /** Attempts that this one recovers. Their journal entries may hold the pair. */
  readonly previous: readonly string[];
  /** The attempt that this one recovers, and the process that had claimed it. */
  readonly lost?: { readonly id: string; readonly owner: string };
  /** Whether recovery has already presented the token once more. */
  readonly presentedAgain: boolean;
  /** Attempts in a row, before this one, that were certainly not processed: what back-off grows with. */
  readonly failures: number;
}

/** Why a grant is dead. The record is kept, sealed, until a person has decided. */
export type GrantDeath =
  | 'rejected'
  | 'step_up_required'
  | 'rotated_pair_lost'
  | 'in_doubt'
  | 'refresh_token_missing'
  | 'revoked';

/** The state machine of a grant. Never from `refreshing` to free: only to settled, or to in doubt. */
export type GrantState =
  | {
      readonly status: 'idle';
      /** Back-off: no request before this epoch ms, and never longer than `retryAfterMs` from when a process sees it. */
      readonly notBefore?: number;
      readonly retryAfterMs?: number;
      readonly failures?: number;
      readonly lastError?: { readonly kind: string; readonly error: string };
    }
  | { readonly status: 'refreshing' | 'recovering'; readonly attempt: RefreshAttempt }
  | {
      readonly status: 'dead';
      readonly death: GrantDeath;
      readonly error: string;
      /** Epoch ms. */
      readonly at: number;
      /** The presentation that ended it: a pair that arrives late for it may still be adopted. */
      readonly attempt?: RefreshAttempt;
    };

/** A token that may still work although another one has taken its place. */
export interface SupersededToken {
  readonly slot: string;
  readonly accessToken: Secret;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** A token that may have been issued, and whose response nobody has. */
export interface StrayToken {
  readonly slot: string;
  /** The attempt that asked for it. */
  readonly attempt: string;
  /** Epoch ms until which it may work. */
  readonly until: number;
}

/** The authority a principal gave the app at a provider: the rotating pair and its state. */
export interface GrantRecord {
  /**
   * `clientCredentials`: a service principal, without a refresh token. `exchanged`: the delegation of one task, whose
   * tokens are exchanged for those of the grant it belongs to.
   */
  readonly kind: 'rotating' | 'clientCredentials' | 'exchanged';
  readonly provider: string;
  readonly principal: Principal;
  readonly account: string;
  /** Scopes that were granted; absent when nobody said. */
  readonly scopes?: readonly string[];
  /** Resource indicators that were granted; absent when nobody said. */
  readonly resources?: readonly string[];
  /** Subject at the issuer (`sub` of the ID token), where one was seen. */
  readonly issuerSubject?: string;
  readonly refreshToken?: Secret;
  /** The key that the tokens are bound to (RFC 9449), as a private JWK. Drawn once, and stored before its first use. */
  readonly proofKey?: Secret;
  /** What an identity assertion is asked for with, where a provider's are wanted: the newest ID token. */
  readonly idToken?: Secret;
  /** Number of the token pair: 0 as granted, then one more with each rotation. */
  readonly generation: number;
  readonly slots: Readonly<Record<string, AccessTokenSlot>>;
  /** Of slots that belong to a task: its end has to see to these, too. */
  readonly superseded?: readonly SupersededToken[];
  readonly strays?: readonly StrayToken[];
  /** Epoch ms. */
  readonly grantedAt: number;
  readonly state: GrantState;
}

/** idle → refreshing. A key for what will be issued is stored with the claim. */
export function claimed(
  record: GrantRecord,
  attempt: RefreshAttempt,
  proofKey?: Secret,
): GrantRecord {
  return {
    ...record,
    ...(proofKey === undefined ? {} : { proofKey }),
    state: { status: 'refreshing', attempt },
  };
}

/** refreshing | recovering → recovering, under a new attempt that knows its predecessors. */
export function recovering(record: GrantRecord, attempt: RefreshAttempt): GrantRecord {
  return { ...record, state: { status: 'recovering', attempt } };
}

/** Certainly not sent, or refused before use: back to idle with the same pair, after a pause. */
export function deferred(
  record: GrantRecord,
  failure: {
    readonly now: number;
    readonly retryAfterMs: number;
    readonly failures: number;
    readonly kind: string;
    readonly error: string;
  },
): GrantRecord {
  return {
    ...record,
    state: {
      status: 'idle',
      notBefore: failure.now + failure.retryAfterMs,
      retryAfterMs: failure.retryAfterMs,
      failures: failure.failures,
      lastError: { kind: failure.kind, error: failure.error },
    },
  };
}

/** The pair is not usable any more. Nothing is deleted but the access tokens, which fall with it. */
export function dead(
  record: GrantRecord,
  death: GrantDeath,
  error: string,
  at: number,
): GrantRecord {
  const attempt = 'attempt' in record.state ? record.state.attempt : undefined;
  return {
    ...record,
    slots: {},
    state: { status: 'dead', death, error, at, ...(attempt === undefined ? {} : { attempt }) },
  };
}

/** A new pair: generation + 1, its slot replaced, expired slots of others dropped. */
export function settled(
  record: GrantRecord,
  slot: SlotSpec,
  tokens: TokenSet,
  timing: SlotTiming,
): GrantRecord {
  const generation = record.generation + 1;
  const live = Object.entries(record.slots).filter(([, other]) => other.expiresAt > timing.now);
  const refreshToken = tokens.refreshToken ?? record.refreshToken;
  // The pair that was found in a journal does not say which key it is bound to.
  const { proofKey = record.proofKey, idToken } = tokens;
  const bound = proofKey === undefined ? tokens : { ...tokens, proofKey };
  return {
    ...record,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(idToken === undefined ? {} : { idToken }),
    ...supersededBy(record, slot, timing.now),
    generation,
    slots: {
      ...Object.fromEntries(live),
      // The pair is kept whatever its type, but not every token is one to hand out.
      ...(isPresentable(bound)
        ? { [slot.key]: accessTokenSlot(bound, generation, slot.scopes, timing) }
        : {}),
    },
    state: { status: 'idle' },
  };
}

/** Whether requests can be made with a token: one that is bound to the key that there is, or to none where there is none. */
export function isPresentable({
  tokenType,
  proofKey,
}: Pick<TokenSet, 'tokenType' | 'proofKey'>): boolean {
  return tokenType === expectedTokenType(proofKey);
}

/** The type that a token must have. A token that should be bound to a key and is not is a theft waiting to happen. */
export function expectedTokenType(proofKey: Secret | undefined): 'bearer' | 'dpop' {
  return proofKey === undefined ? 'bearer' : 'dpop';
}

/** A task's earlier token goes on working until it expires, and so does one whose response was lost. */
function supersededBy(
  record: GrantRecord,
  slot: SlotSpec,
  now: number,
): Pick<GrantRecord, 'superseded' | 'strays'> {
  const { superseded = [], strays = [] } = record;
  const earlier = slot.scopes === undefined ? undefined : record.slots[slot.key];
  const replaced = earlier === undefined ? [] : [supersededToken(slot.key, earlier)];
  return {
    ...(superseded.length + replaced.length === 0
      ? {}
      : { superseded: [...superseded, ...replaced].filter(({ expiresAt }) => expiresAt > now) }),
    ...(strays.length === 0 ? {} : { strays: strays.filter(({ until }) => until > now) }),
  };
}

/** What is kept of a token that nothing is handed out of any more. */
export function supersededToken(
  slot: string,
  { accessToken, expiresAt }: Pick<AccessTokenSlot, 'accessToken' | 'expiresAt'>,
): SupersededToken {
  return { slot, accessToken, expiresAt };
}

/** Notes that `attempt` may have had a token issued, where it was for a task: it counts as live until `until`. */
export function withStray<Record extends GrantRecord>(
  record: Record,
  attempt: RefreshAttempt,
  until: number,
): Record {
  if (attempt.slot.scopes === undefined) return record;
  const stray = { slot: attempt.slot.key, attempt: attempt.id, until };
  // The newest lives longest: after thousands of attempts in an outage the others tell nothing more.
  return { ...record, strays: [...(record.strays ?? []), stray].slice(-64) };
}

/** The token of `attempt` has come after all. */
export function withoutStray<Record extends GrantRecord>(record: Record, attempt: string): Record {
  const { strays } = record;
  if (strays === undefined) return record;
  return { ...record, strays: strays.filter((stray) => stray.attempt !== attempt) };
}

/** What turns a lifetime into points in time. */
export interface SlotTiming {
  /** Epoch ms at which the record is written. */
  readonly now: number;
  /** Epoch ms, the instant before the token request was sent. */
  readonly issuedAt: number;
  /** Used when the issuer does not say `expires_in`. */
  readonly defaultLifetimeMs: number;
  /** 0 ≤ jitter < 1: where between 70 and 80 % of the lifetime the token becomes due. */
  readonly jitter: number;
}

/** When a token becomes due, unusable and expired. Unusable comes min(5 s, 5 %) before expiry. */
export function accessTokenSlot(
  tokens: TokenSet,
  generation: number,
  askedScopes: readonly string[] | undefined,
  timing: SlotTiming,
): AccessTokenSlot {
  const lifetimeMs = tokens.expiresInMs ?? timing.defaultLifetimeMs;
  const expiresAt = timing.issuedAt + lifetimeMs;
  const scopes = tokens.scopes ?? askedScopes;
  return {
    accessToken: tokens.accessToken,
    tokenType: tokens.tokenType,
    ...(tokens.proofKey === undefined ? {} : { proofKey: tokens.proofKey }),
    generation,
    ...(scopes === undefined ? {} : { scopes }),
    issuedAt: timing.issuedAt,
    dueAt: timing.issuedAt + lifetimeMs * (0.7 + 0.1 * timing.jitter),
    unusableAt: expiresAt - Math.min(5000, lifetimeMs * 0.05),
    expiresAt,
  };
}

/** The three windows of an access token. */
export function freshness(slot: AccessTokenSlot, now: number): 'fresh' | 'due' | 'unusable' {
  if (now < slot.dueAt) return 'fresh';
  return now < slot.unusableAt ? 'due' : 'unusable';
}

/** Whether a token came to its end before it could be handed out. One that was issued with no lifetime is for one use. */
export function isOver({ issuedAt, expiresAt }: AccessTokenSlot, now: number): boolean {
  return expiresAt > issuedAt && now >= expiresAt;
}

/** Whether a pair that arrives late for `attempt` still belongs on this record: nobody has moved it on since. */
export function canAdoptLate(record: GrantRecord, attempt: RefreshAttempt): boolean {
  const { state } = record;
  if (state.status === 'idle') return false;
  const current = state.attempt;
  if (current === undefined || current.fingerprint !== attempt.fingerprint) return false;
  if (state.status === 'dead' && state.death !== 'in_doubt' && state.death !== 'rotated_pair_lost')
    return false;
  return current.id === attempt.id || current.previous.includes(attempt.id);
}

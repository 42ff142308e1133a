import { Mutex } from 'async-mutex';
import type { UnfinishedRefresh } from './drain.ts';
import { AuthError } from './errors.ts';
import { tellDeath } from './grant-death.ts';
import {
  type AccessTokenSlot,
  freshness,
  type GrantRecord,
  isOver,
  type SlotSpec,
} from './grant-record.ts';
import { recordChanges } from './record-changes.ts';
import type { Versioned } from './records.ts';
import { recover } from './recovery.ts';
import { rotate } from './rotation.ts';
import type { RotationContext } from './rotation-context.ts';

/** What a process keeps of a grant that is at rest. */
export interface KnownGrant {
  /** Hears how the grant stands in the store. */
  learn(record: GrantRecord | undefined): void;
  /** Hears of a new token, before the record that holds it is read. */
  remember(slot: AccessTokenSlot, spec: SlotSpec): void;
  /** Whether the audit log is known to tell what the grant died of. */
  deathTold: boolean;
}

/** Whether somebody waits for the refresh. Nobody waits in the `background`: it gives up where it would have to. */
type RefreshMode = 'waiting' | 'background';

/** How often the store is asked while waiting, ms, should no hint come. */
const longestLookMs = 250;

/** Refreshes one grant, one refresh at a time: there is one only while a grant is being refreshed, or held off. */
export class Refresher {
  readonly #context: RotationContext;
  readonly #grant: KnownGrant;
  readonly #mutex = new Mutex();
  readonly #refreshing = new Map<string, Promise<AccessTokenSlot>>();
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #observed: { id: string; version: number; sinceMs: number } | undefined;
  #deferred: { version: number; sinceMs: number } | undefined;

  constructor(context: RotationContext, grant: KnownGrant) {
    this.#context = context;
    this.#grant = grant;
  }

  /** Whether nothing is under way, waited for or held off. */
  get isAtRest(): boolean {
    return (
      this.#refreshing.size === 0 &&
      !this.#mutex.isLocked() &&
      this.#observed === undefined &&
      this.#deferred === undefined &&
      this.#context.clock.monotonicMs() >= this.#quietUntilMs
    );
  }

  /** The refresh that is under way. */
  unfinished(): UnfinishedRefresh | undefined {
    const { grant, unstored } = this.#context;
    if (!this.#mutex.isLocked()) return undefined;
    return { ...grant, holdsPair: unstored.size > 0 };
  }

  /** Resolves when no refresh is under way. */
  async idle(): Promise<void> {
    await this.#mutex.waitForUnlock();
  }

  /** The grant was replaced: what was seen of the earlier one tells nothing about it. */
  forget(): void {
    this.#observed = undefined;
  }

  /** Whether a refresh that nobody waits for is under way, or has failed just now. Every call with a due token asks. */
  leavesInBackground(slot: SlotSpec): boolean {
    return (
      this.#refreshing.has(refreshName(slot, undefined, 'background')) ||
      this.#context.clock.monotonicMs() < this.#quietUntilMs
    );
  }

  /** Refreshes without anybody waiting. */
  inBackground(slot: SlotSpec): Promise<void> {
    return this.refresh(slot, undefined, 'background').then(
      () => undefined,
      () => {
        // What went wrong is in the record and the audit log, and the next caller that has no usable token meets
        // it there. Until then: do not ask again with every call.
        this.#quietUntilMs = this.#context.clock.monotonicMs() + 250;
      },
    );
  }

  /** One refresh for all who want the same: callers share it, and none of them can abort it. */
  refresh(
    slot: SlotSpec,
    rejected: number | undefined,
    mode: RefreshMode,
    mayMint?: () => Promise<void>,
  ): Promise<AccessTokenSlot> {
    const name = refreshName(slot, rejected, mode);
    let refreshing = this.#refreshing.get(name);
    if (refreshing === undefined) {
      refreshing = this.#mutex
        .runExclusive(() => this.#drive(slot, rejected, mode, mayMint))
        .finally(() => this.#refreshing.delete(name));
      this.#refreshing.set(name, refreshing);
    }
    return refreshing;
  }

  /** Moves the grant on until it has a token for `slot`. Every round starts by reading the store again. */
  async #drive(
    slot: SlotSpec,
    rejected: number | undefined,
    mode: RefreshMode,
    mayMint?: () => Promise<void>,
  ): Promise<AccessTokenSlot> {
    const { clock, times } = this.#context;
    const giveUpAtMs = clock.monotonicMs() + times.maxWaitMs;
    using change = recordChanges(this.#context);
    let outlived = false;
    for (;;) {
      const current = await this.read();
      if (current === undefined) throw noGrant();
      const held = current.value.slots[slot.key];
      if (held !== undefined && this.#serves(held, rejected)) return this.#found(held);

      if (this.#context.closed())
        throw new AuthError('cancelled', { detail: 'the runtime is closed' });
      const { state } = current.value;
      if (state.status === 'dead') {
        await this.#tellDeath(current.value);
        throw ended(current.value.kind, state);
      }

      let waitMs: number;
      if (state.status === 'idle') {
        waitMs = this.#backoffMs(current.version, state);
        if (waitMs === 0) {
          assertGranted(current.value, slot);
          await mayMint?.();
          await this.#context.prepare?.();
          const rotated = await rotate(this.#context, current, slot);
          if (typeof rotated !== 'object') continue;
          if (!isOver(rotated, clock.now())) return this.#found(this.#remember(rotated, slot));
          if (outlived) throw tooShortLived();
          // The pair was held while the store was down, for longer than its access token lives: once more.
          outlived = true;
          continue;
        }
      } else {
        waitMs = await this.#observe(current, state.attempt);
        if (waitMs === 0) continue;
      }
      // Somebody else's claim is waited for as long as a call may wait: its owner may settle it at any moment,
      // however long recovery would take. A back-off, and a doubt of this process's own, pass when they pass.
      const foreign = state.status !== 'idle' && state.attempt.owner !== this.#context.process;
      const leftMs = giveUpAtMs - clock.monotonicMs();
      const inVain = (foreign ? longestLookMs : waitMs) >= leftMs;
      if (mode === 'background' || inVain) throw this.#stillWaiting(state);
      await change.within(Math.min(waitMs, longestLookMs));
    }
  }

  /** There is a token: what was waited for is over. */
  #found(slot: AccessTokenSlot): AccessTokenSlot {
    this.#observed = undefined;
    this.#deferred = undefined;
    return slot;
  }

  /** The call that meets the end of the grant does not fail over what the audit log lacks. */
  async #tellDeath(record: GrantRecord): Promise<void> {
    if (this.#grant.deathTold) return;
    try {
      this.#grant.deathTold = await tellDeath(this.#context, record);
    } catch {
      // The store did not answer: the next call tries again.
    }
  }

  /** Whether `held` is an answer: usable, not yet due, and not the one that was refused. */
  #serves(held: AccessTokenSlot, rejected: number | undefined): boolean {
    const state = freshness(held, this.#context.clock.now());
    return rejected === undefined
      ? state === 'fresh'
      : held.generation > rejected && state !== 'unusable';
  }

  /**
   * How long to leave the issuer alone: never longer than was asked for, counted on this process's own clock from
   * when it first saw the record, whatever another host's clock says.
   */
  #backoffMs(version: number, state: GrantRecord['state'] & { status: 'idle' }): number {
    if (state.notBefore === undefined) return 0;
    const { clock } = this.#context;
    const nowMs = clock.monotonicMs();
    if (this.#deferred?.version !== version) this.#deferred = { version, sinceMs: nowMs };
    const longestMs = this.#deferred.sinceMs + (state.retryAfterMs ?? Infinity) - nowMs;
    return Math.max(0, Math.min(state.notBefore - clock.now(), longestMs));
  }

  /**
   * Watches somebody's attempt. Answers how long to wait, or 0 when it was this call that moved things on. An
   * attempt is given up only when this process has seen it unchanged for the whole time on its own clock.
   */
  async #observe(
    current: Versioned<GrantRecord>,
    attempt: { readonly id: string; readonly journalHost?: string },
  ): Promise<number> {
    const { clock } = this.#context;
    const now = clock.monotonicMs();
    if (this.#observed?.id !== attempt.id || this.#observed.version !== current.version)
      this.#observed = { id: attempt.id, version: current.version, sinceMs: now };
    const leftMs = this.#observed.sinceMs + this.#patienceMs(attempt) - now;
    if (leftMs > 0) return leftMs;
    this.#observed = undefined;
    await recover(this.#context, current);
    return 0;
  }

  /** How long an attempt may stay as it is until its owner counts as gone. */
  #patienceMs(attempt: { readonly journalHost?: string }): number {
    const { times, journal, profile } = this.#context;
    const foreign = attempt.journalHost !== undefined && attempt.journalHost !== journal?.host;
    const wholeMs = times.requestTimeoutMs + times.settleMs + (foreign ? times.journalGraceMs : 0);
    if (profile.rotation !== 'leeway') return wholeMs;
    // A second presentation is forgiven, but only for a while: it must come well before the leeway is over.
    return Math.min(wholeMs, Math.max(profile.leewayMs / 3, times.sendByMs + 1000));
  }

  #stillWaiting(state: GrantRecord['state']): AuthError {
    if (state.status !== 'idle')
      return new AuthError('in_doubt', { detail: `the grant is ${state.status}` });
    const { lastError, retryAfterMs } = state;
    const options = { ...(lastError && { reason: lastError.error }), retryAfterMs };
    if (lastError?.kind === 'misconfigured') return new AuthError('misconfigured', options);
    if (lastError?.kind === 'issuer_refused') return new AuthError('issuer_refused', options);
    return new AuthError('issuer_unavailable', options);
  }

  /** The grant as the store has it. @throws {AuthError} `store_unavailable`. */
  async read(): Promise<Versioned<GrantRecord> | undefined> {
    let read: Versioned<GrantRecord> | undefined;
    try {
      read = await this.#context.records.get<GrantRecord>(this.#context.key);
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause });
    }
    this.#grant.learn(read?.value);
    return read;
  }

  /** The rotation knows the new slot, but not the record's version: read it with the next round. */
  #remember(slot: AccessTokenSlot, spec: SlotSpec): AccessTokenSlot {
    this.#grant.remember(slot, spec);
    return slot;
  }
}

/** @throws {AuthError} when there is no grant, or it is dead. */
export function assertAlive(grant: GrantRecord | undefined): void {
  if (grant === undefined) throw noGrant();
  if (grant.state.status === 'dead') throw ended(grant.kind, grant.state);
}

function noGrant(): AuthError {
  return new AuthError('reauthorization_required', { reason: 'no_grant' });
}

/** What a record says that has no tokens any more: a delegation ends with its task, a grant can be authorized again. */
function ended(
  kind: GrantRecord['kind'],
  state: GrantRecord['state'] & { status: 'dead' },
): AuthError {
  const { death, error } = state;
  if (kind === 'exchanged') return new AuthError('task_ended', { reason: error });
  const stepUp = death === 'step_up_required';
  const code = stepUp ? 'step_up_required' : 'reauthorization_required';
  return new AuthError(code, { reason: death, detail: error });
}

/** What is over cannot be handed out, and asking on and on would only use up the grant. */
export function tooShortLived(): AuthError {
  return new AuthError('issuer_unavailable', {
    detail: 'its access tokens expire before they can be stored and handed out',
  });
}

/** Callers that want the same share one refresh: what "the same" is. */
function refreshName(slot: SlotSpec, rejected: number | undefined, mode: string): string {
  return `${mode}|${rejected ?? ''}|${slot.key}`;
}

/** Scopes and resource are compared with the grant before anything is sent: some issuers use up the token first and refuse then. */
function assertGranted(record: GrantRecord, slot: SlotSpec): void {
  const beyond = slot.scopes?.filter((scope) => record.scopes?.includes(scope) === false) ?? [];
  if (beyond.length > 0) throw new AuthError('insufficient_scope', { reason: beyond.join(' ') });
  const { resource } = slot;
  if (resource !== undefined && record.resources?.includes(resource) === false)
    throw new AuthError('insufficient_scope', { reason: 'the grant does not cover the resource' });
}

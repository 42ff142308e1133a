import { Mutex } from 'async-mutex';
import { sleep } from './clock.ts';
import type { UnfinishedRefresh } from './drain.ts';
import { AuthError } from './errors.ts';
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

/** What a caller wants of the source beyond a token. */
export interface TokenRequest {
  /** Number of the token that a resource has just refused: a newer one is adopted, else one refresh is made. */
  readonly rejectedGeneration?: number;
  /** Ends the caller's wait, never the refresh. */
  readonly signal?: AbortSignal;
}

/** How often the store is asked while waiting, ms, should no hint come. */
const longestLookMs = 250;

/**
 * The access tokens of one grant, in this process.
 *
 * Fresh: answered from memory. Due: answered from memory, and refreshed in the background. Unusable: callers wait
 * for the one refresh. One refresh at a time per grant, whatever scopes it is for: the refresh token belongs to
 * the grant.
 */
export class TokenSource {
  readonly #context: RotationContext;
  readonly #mutex = new Mutex();
  readonly #refreshing = new Map<string, Promise<AccessTokenSlot>>();
  #known: Versioned<GrantRecord> | undefined;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #observed: { id: string; version: number; sinceMs: number } | undefined;
  #deferred: { version: number; sinceMs: number } | undefined;

  constructor(context: RotationContext) {
    this.#context = context;
  }

  /**
   * The slot's token if it can be handed out without waiting. A due one is refreshed in the background, unless that
   * would end the token that was just handed out: then callers wait once it is unusable.
   */
  peek(slot: SlotSpec, now: number = this.#context.clock.now()): AccessTokenSlot | undefined {
    const held = this.#known?.value.slots[slot.key];
    if (held === undefined) return undefined;
    if (now < held.dueAt) return held;
    if (now >= held.unusableAt) return undefined;
    // Where a rotation ends the token in hand, rotating early would end it in the middle of other calls.
    if (this.#context.profile.accessTokenAfterRotation === 'valid') this.#refreshInBackground(slot);
    return held;
  }

  /**
   * The slot's token, after whatever has to be waited for. `mayMint` is asked before each request to the issuer and
   * throws where the slot's task has ended meanwhile: only a slot that no other task shares may have one.
   *
   * @throws {AuthError} when there is no token to be had, or not within the time a call may wait.
   */
  async token(
    slot: SlotSpec,
    request: TokenRequest = {},
    mayMint?: () => Promise<void>,
  ): Promise<AccessTokenSlot> {
    const { rejectedGeneration, signal } = request;
    if (rejectedGeneration === undefined) {
      const held = this.peek(slot);
      if (held !== undefined) return held;
    }
    return this.#within(this.#refresh(slot, rejectedGeneration, 'waiting', mayMint), signal);
  }

  /** The grant as this process last saw it; read from the store when it never did. */
  async record(): Promise<GrantRecord | undefined> {
    return (this.#known ?? (await this.#read()))?.value;
  }

  /**
   * Reads the store where this process does not know of a living grant.
   *
   * @throws {AuthError} when the grant is dead or gone.
   */
  async ensureAlive(): Promise<void> {
    if (isAlive(this.#known?.value)) return;
    assertAlive((await this.#read())?.value);
  }

  /** Forgets what it knows, so that the next use reads the store: the grant was replaced. */
  forget(): void {
    this.#known = undefined;
    this.#observed = undefined;
  }

  /** The refresh of this process that is under way. */
  unfinished(): UnfinishedRefresh | undefined {
    const { grant, unstored } = this.#context;
    if (!this.#mutex.isLocked()) return undefined;
    return { ...grant, holdsPair: unstored.size > 0 };
  }

  /** Resolves when no refresh of this process is under way. */
  async idle(): Promise<void> {
    await this.#mutex.waitForUnlock();
  }

  #refreshInBackground(slot: SlotSpec): void {
    const { clock, background } = this.#context;
    // Every call comes by here until the new token is there: one of them is enough.
    if (this.#refreshing.has(refreshName(slot, undefined, 'background'))) return;
    if (clock.monotonicMs() < this.#quietUntilMs) return;
    const refresh = this.#refresh(slot, undefined, 'background').then(
      () => undefined,
      () => {
        // Nobody waits for this one. What went wrong is in the record and the audit log, and the next caller
        // that has no usable token meets it there. Until then: do not ask again with every call.
        this.#quietUntilMs = clock.monotonicMs() + 250;
      },
    );
    background(refresh);
  }

  /** One refresh for all who want the same: callers share it, and none of them can abort it. */
  #refresh(
    slot: SlotSpec,
    rejected: number | undefined,
    mode: 'waiting' | 'background',
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
    mode: 'waiting' | 'background',
    mayMint?: () => Promise<void>,
  ): Promise<AccessTokenSlot> {
    const { clock, times } = this.#context;
    const giveUpAtMs = clock.monotonicMs() + times.maxWaitMs;
    using change = recordChanges(this.#context);
    let outlived = false;
    for (;;) {
      const current = await this.#read();
      if (current === undefined) throw noGrant();
      const held = current.value.slots[slot.key];
      if (held !== undefined && this.#serves(held, rejected)) return held;

      if (this.#context.closed())
        throw new AuthError('cancelled', { detail: 'the runtime is closed' });
      assertAlive(current.value);
      const { state } = current.value;

      let waitMs: number;
      if (state.status === 'idle') {
        waitMs = this.#backoffMs(current.version, state);
        if (waitMs === 0) {
          assertGranted(current.value, slot);
          await mayMint?.();
          const rotated = await rotate(this.#context, current, slot);
          if (typeof rotated !== 'object') continue;
          if (outlived || !isOver(rotated, clock.now())) return this.#remember(rotated, slot);
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
    const { clock, times, journal } = this.#context;
    const now = clock.monotonicMs();
    if (this.#observed?.id !== attempt.id || this.#observed.version !== current.version)
      this.#observed = { id: attempt.id, version: current.version, sinceMs: now };
    const foreign = attempt.journalHost !== undefined && attempt.journalHost !== journal?.host;
    const patienceMs =
      times.requestTimeoutMs + times.settleMs + (foreign ? times.journalGraceMs : 0);
    const leftMs = this.#observed.sinceMs + patienceMs - now;
    if (leftMs > 0) return leftMs;
    this.#observed = undefined;
    await recover(this.#context, current);
    return 0;
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

  async #read(): Promise<Versioned<GrantRecord> | undefined> {
    let read: Versioned<GrantRecord> | undefined;
    try {
      read = await this.#context.records.get<GrantRecord>(this.#context.key);
    } catch (cause) {
      throw new AuthError('store_unavailable', { cause });
    }
    this.#known = read;
    return read;
  }

  /** The rotation knows the new slot, but not the record's version: read it with the next round. */
  #remember(slot: AccessTokenSlot, spec: SlotSpec): AccessTokenSlot {
    const known = this.#known;
    if (known !== undefined)
      this.#known = {
        ...known,
        value: { ...known.value, slots: { ...known.value.slots, [spec.key]: slot } },
      };
    return slot;
  }

  /** Bounds one caller's wait. The refresh itself goes on. */
  async #within(refresh: Promise<AccessTokenSlot>, signal?: AbortSignal): Promise<AccessTokenSlot> {
    const { clock, times } = this.#context;
    const timer = new AbortController();
    const stop = signal === undefined ? timer.signal : AbortSignal.any([timer.signal, signal]);
    const giveUp = sleep(clock, times.maxWaitMs, stop).then(
      () => {
        throw new AuthError('issuer_unavailable', { detail: 'the refresh takes too long' });
      },
      () => {
        throw new AuthError('cancelled', { cause: signal?.reason });
      },
    );
    try {
      return await Promise.race([refresh, giveUp]);
    } finally {
      timer.abort();
      // The loser of the race must not surface as an unhandled rejection.
      giveUp.catch(() => undefined);
    }
  }
}

type LivingGrant = GrantRecord & {
  readonly state: Exclude<GrantRecord['state'], { status: 'dead' }>;
};

function isAlive(grant: GrantRecord | undefined): grant is LivingGrant {
  return grant !== undefined && grant.state.status !== 'dead';
}

function assertAlive(grant: GrantRecord | undefined): asserts grant is LivingGrant {
  if (isAlive(grant)) return;
  if (grant?.state.status !== 'dead') throw noGrant();
  const { death, error } = grant.state;
  const code = death === 'step_up_required' ? 'step_up_required' : 'reauthorization_required';
  throw new AuthError(code, { reason: death, detail: error });
}

function noGrant(): AuthError {
  return new AuthError('reauthorization_required', { reason: 'no_grant' });
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

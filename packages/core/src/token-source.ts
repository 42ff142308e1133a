import { inTime } from './clock.ts';
import type { UnfinishedRefresh } from './drain.ts';
import { AuthError } from './errors.ts';
import type { GrantReference } from './grant-import.ts';
import type { AccessTokenSlot, GrantRecord, SlotSpec } from './grant-record.ts';
import type { Principal } from './principal.ts';
import { assertAlive, type KnownGrant, Refresher } from './refresher.ts';
import type { Rotation } from './rotation-context.ts';

/** What a caller wants of the source beyond a token. */
export interface TokenRequest {
  /** Number of the token that a resource has just refused: a newer one is adopted, else one refresh is made. */
  readonly rejectedGeneration?: number;
  /** Ends the caller's wait, never the refresh. */
  readonly signal?: AbortSignal;
}

/**
 * The access tokens of one grant, in this process.
 *
 * Fresh: answered from memory. Due: answered from memory, and refreshed in the background. Unusable: callers wait
 * for the one refresh. One refresh at a time per grant, whatever scopes it is for: the refresh token belongs to
 * the grant.
 */
export class TokenSource implements KnownGrant {
  readonly #rotation: Rotation;
  readonly #key: string;
  readonly #principal: Principal;
  readonly #account: string | undefined;
  /**
   * There only while there is something to do, and being made before that: a process may hold very many grants, most of
   * them at rest.
   */
  #refresher: Refresher | Promise<Refresher> | undefined;
  #users = 0;
  /** The tokens as this process last saw them: of the record, all that a grant at rest needs. */
  #slots: GrantRecord['slots'] | undefined;
  #isDead = false;
  deathTold = false;

  constructor(rotation: Rotation, key: string, { principal, account }: GrantReference) {
    this.#rotation = rotation;
    this.#key = key;
    this.#principal = principal;
    this.#account = account;
  }

  /**
   * The slot's token if it can be handed out without waiting. A due one is refreshed in the background, unless that
   * would end the token that was just handed out: then callers wait once it is unusable.
   */
  peek(
    slot: SlotSpec,
    now: number = this.#rotation.parts.clock.now(),
  ): AccessTokenSlot | undefined {
    const held = this.#slots?.[slot.key];
    if (held === undefined) return undefined;
    if (now < held.dueAt) return held;
    if (now >= held.unusableAt) return undefined;
    // Where a rotation ends the token in hand, rotating early would end it in the middle of other calls.
    const { profile } = this.#rotation.parts;
    if (profile.accessTokenAfterRotation === 'valid') this.#refreshInBackground(slot);
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
    const refresh = this.#use((refresher) =>
      refresher.refresh(slot, rejectedGeneration, 'waiting', mayMint),
    );
    return this.#within(refresh, signal);
  }

  /** Whether there is such a grant; the store is asked where this process has not seen it. */
  async exists(): Promise<boolean> {
    return this.#slots !== undefined || (await this.storedRecord()) !== undefined;
  }

  /** The grant as the store has it now. */
  async storedRecord(): Promise<GrantRecord | undefined> {
    return (await this.#use((refresher) => refresher.read()))?.value;
  }

  /**
   * Reads the store where this process does not know of a living grant.
   *
   * @throws {AuthError} when the grant is dead or gone.
   */
  async ensureAlive(): Promise<void> {
    if (this.#slots !== undefined && !this.#isDead) return;
    assertAlive(await this.storedRecord());
  }

  learn(record: GrantRecord | undefined): void {
    this.#slots = record?.slots;
    this.#isDead = record?.state.status === 'dead';
  }

  remember(slot: AccessTokenSlot, { key }: SlotSpec): void {
    if (this.#slots !== undefined) this.#slots = { ...this.#slots, [key]: slot };
  }

  /** Forgets what it knows, so that the next use reads the store: the grant was replaced. */
  forget(): void {
    this.learn(undefined);
    this.deathTold = false;
    if (this.#refresher instanceof Refresher) this.#refresher.forget();
  }

  /** The refresh of this process that is under way. */
  unfinished(): UnfinishedRefresh | undefined {
    return this.#refresher instanceof Refresher ? this.#refresher.unfinished() : undefined;
  }

  /** Resolves when no refresh of this process is under way. */
  async idle(): Promise<void> {
    await (await this.#refresher)?.idle();
  }

  #refreshInBackground(slot: SlotSpec): void {
    // Being made for somebody: who comes next refreshes, should they not.
    if (this.#refresher instanceof Promise) return;
    if (this.#refresher?.leavesInBackground(slot)) return;
    this.#rotation.parts.background(this.#use((refresher) => refresher.inBackground(slot)));
  }

  /** At once where there is a refresher. It stays for as long as somebody uses it, so that a grant has one at a time. */
  async #use<T>(work: (refresher: Refresher) => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      this.#refresher ??= this.#makeRefresher();
      return await work(
        this.#refresher instanceof Refresher ? this.#refresher : await this.#refresher,
      );
    } finally {
      this.#users -= 1;
      if (this.#users === 0 && this.#refresher instanceof Refresher && this.#refresher.isAtRest)
        this.#refresher = undefined;
    }
  }

  async #makeRefresher(): Promise<Refresher> {
    try {
      const account = this.#account === undefined ? {} : { account: this.#account };
      const { provider, contextOf } = this.#rotation;
      const reference = { provider, principal: this.#principal, ...account };
      const refresher = new Refresher(await contextOf(this.#key, reference), this);
      this.#refresher = refresher;
      return refresher;
    } catch (error) {
      this.#refresher = undefined;
      throw error;
    }
  }

  /** Bounds one caller's wait. The refresh itself goes on. */
  async #within(refresh: Promise<AccessTokenSlot>, signal?: AbortSignal): Promise<AccessTokenSlot> {
    const { clock, times } = this.#rotation.parts;
    return inTime(
      clock,
      times.maxWaitMs,
      () => unlessCancelled(refresh, signal),
      () => {
        throw new AuthError('issuer_unavailable', { detail: 'the refresh takes too long' });
      },
    );
  }
}

/** What the refresh answers, unless the caller stops waiting first. */
async function unlessCancelled<T>(
  refresh: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return refresh;
  const cancelled = Promise.withResolvers<never>();
  const cancel = (): void => cancelled.reject(new AuthError('cancelled', { cause: signal.reason }));
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await Promise.race([refresh, cancelled.promise]);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

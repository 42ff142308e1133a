import { inTime } from './clock.ts';
import type { UnfinishedRefresh } from './drain.ts';
import { AuthError } from './errors.ts';
import type { AccessTokenSlot, GrantRecord, SlotSpec } from './grant-record.ts';
import type { Versioned } from './records.ts';
import { type KnownGrant, Refresher } from './refresher.ts';
import type { Rotation, RotationContext, RotationParts } from './rotation-context.ts';

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
  readonly #parts: RotationParts;
  readonly #context: () => RotationContext;
  /** There only while there is something to do: a process may hold very many grants, most of them at rest. */
  #refresher: Refresher | undefined;
  known: Versioned<GrantRecord> | undefined;
  deathTold = false;

  constructor({ parts, context }: Rotation) {
    this.#parts = parts;
    this.#context = context;
  }

  /**
   * The slot's token if it can be handed out without waiting. A due one is refreshed in the background, unless that
   * would end the token that was just handed out: then callers wait once it is unusable.
   */
  peek(slot: SlotSpec, now: number = this.#parts.clock.now()): AccessTokenSlot | undefined {
    const held = this.known?.value.slots[slot.key];
    if (held === undefined) return undefined;
    if (now < held.dueAt) return held;
    if (now >= held.unusableAt) return undefined;
    // Where a rotation ends the token in hand, rotating early would end it in the middle of other calls.
    if (this.#parts.profile.accessTokenAfterRotation === 'valid') this.#refreshInBackground(slot);
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
    const refresh = this.#refresherNow().refresh(slot, rejectedGeneration, 'waiting', mayMint);
    return this.#within(this.#thenRest(refresh), signal);
  }

  /** The grant as this process last saw it; read from the store when it never did. */
  async record(): Promise<GrantRecord | undefined> {
    return (this.known ?? (await this.#thenRest(this.#refresherNow().read())))?.value;
  }

  /** The grant as the store has it now. */
  async storedRecord(): Promise<GrantRecord | undefined> {
    return (await this.#thenRest(this.#refresherNow().read()))?.value;
  }

  /** Forgets what it knows, so that the next use reads the store: the grant was replaced. */
  forget(): void {
    this.known = undefined;
    this.deathTold = false;
    this.#refresher?.forget();
  }

  /** The refresh of this process that is under way. */
  unfinished(): UnfinishedRefresh | undefined {
    return this.#refresher?.unfinished();
  }

  /** Resolves when no refresh of this process is under way. */
  async idle(): Promise<void> {
    await this.#refresher?.idle();
  }

  #refreshInBackground(slot: SlotSpec): void {
    const work = this.#refresherNow().inBackground(slot);
    if (work !== undefined) this.#parts.background(this.#thenRest(work));
  }

  #refresherNow(): Refresher {
    this.#refresher ??= new Refresher(this.#context(), this);
    return this.#refresher;
  }

  async #thenRest<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      if (this.#refresher?.isAtRest) this.#refresher = undefined;
    }
  }

  /** Bounds one caller's wait. The refresh itself goes on. */
  async #within(refresh: Promise<AccessTokenSlot>, signal?: AbortSignal): Promise<AccessTokenSlot> {
    const { clock, times } = this.#parts;
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

import type { Clock } from './clock.ts';
import type { Store } from './store.ts';

/** What every process must hear of soon: a task that may not go on, a person whose state changed. */
export type StopNotice =
  | { readonly kind: 'task'; readonly id: string }
  /** `id` is the keyed hash of the principal. */
  | { readonly kind: 'subject'; readonly id: string };

const stream = 'outlive:stops';

/** Times that govern the feed, ms. */
export interface StopFeedTimes {
  /** How often the store is asked; at most 500. */
  readonly pollMs: number;
  /** How long what was heard may be believed; after that fast paths close. */
  readonly trustMs: number;
}

/**
 * The one ordered feed through which fast paths, which do no I/O, learn of pauses and revocations.
 *
 * A feed that cannot be read any more goes stale and closes the fast paths; it never leaves them open.
 */
export class StopFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #times: StopFeedTimes;
  readonly #heard: (notice: StopNotice) => void;
  #next: number | undefined;
  #trustedUntilMonotonic = Number.NEGATIVE_INFINITY;
  #trustedUntilWall = Number.NEGATIVE_INFINITY;
  #polling: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(
    store: Store,
    clock: Clock,
    times: StopFeedTimes,
    heard: (notice: StopNotice) => void,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#times = times;
    this.#heard = heard;
  }

  /** Whether this process has listened recently enough for its cells to be believed. Both clocks must agree: a suspended machine stops one of them. */
  isTrusted(nowMs: number = this.#clock.monotonicMs(), now: number = this.#clock.now()): boolean {
    return nowMs < this.#trustedUntilMonotonic && now < this.#trustedUntilWall;
  }

  /** Listens now unless it just did, and keeps listening. @throws what the store throws. */
  async ensureFresh(): Promise<void> {
    if (!this.isTrusted()) await this.#poll();
    this.#keepListening();
  }

  /** Tells every process. Resolves when the notice is durable. */
  async publish(notice: StopNotice): Promise<void> {
    const value = JSON.stringify(notice);
    for (;;) {
      const last = await this.#store.last(stream);
      if (await this.#store.append(stream, (last?.sequence ?? 0) + 1, value)) return;
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  #keepListening(): void {
    if (this.#cancelTimer !== undefined || this.#closed) return;
    const again = (): void => {
      this.#cancelTimer = undefined;
      this.#poll().then(
        () => this.#keepListening(),
        // The store is down: the feed goes stale, which closes the fast paths; keep trying.
        () => this.#keepListening(),
      );
    };
    this.#cancelTimer = this.#clock.schedule(again, this.#times.pollMs);
  }

  #poll(): Promise<void> {
    this.#polling ??= this.#read().finally(() => {
      this.#polling = undefined;
    });
    return this.#polling;
  }

  async #read(): Promise<void> {
    const startedMonotonic = this.#clock.monotonicMs();
    const startedWall = this.#clock.now();
    // The first reading only marks the place: cells are loaded after it, so they know what came before.
    this.#next ??= ((await this.#store.last(stream))?.sequence ?? 0) + 1;
    for await (const entry of this.#store.read(stream, this.#next)) {
      this.#next = entry.sequence + 1;
      this.#heard(JSON.parse(entry.value) as StopNotice);
    }
    this.#trustedUntilMonotonic = startedMonotonic + this.#times.trustMs;
    this.#trustedUntilWall = startedWall + this.#times.trustMs;
  }
}

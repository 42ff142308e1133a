import type { Clock } from './clock.ts';
import type { Store } from './store.ts';

/** What every process must hear of soon: a task that may not go on, a person whose state changed, an operator's word. */
export type StopNotice =
  | { readonly kind: 'task'; readonly id: string }
  /** `id` is the keyed hash of the principal. */
  | { readonly kind: 'subject'; readonly id: string }
  /** A gate source fell silent, or answers again. */
  | { readonly kind: 'hold'; readonly id: string }
  /** A kill switch was thrown or released. */
  | { readonly kind: 'switch'; readonly id: string };

const stream = 'outlive:stops';

/** Times that govern the feed, ms. */
export interface StopFeedTimes {
  /** How often the store is asked; at most 500. */
  readonly pollMs: number;
  /** How long what was heard may be believed; after that fast paths close. */
  readonly trustMs: number;
}

/** Who wants to know. */
export interface StopListener {
  readonly heard: (notice: StopNotice) => void;
  /** This process was away for so long that notices were removed before it heard them: about anybody, any task. */
  readonly missed: () => void;
}

/** How many notices one round removes. */
const trimmedPerRound = 1000;

/**
 * The one ordered feed through which fast paths, which do no I/O, learn of pauses and revocations.
 *
 * A feed that cannot be read any more goes stale and closes the fast paths; it never leaves them open.
 */
export class StopFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #times: StopFeedTimes;
  readonly #listener: StopListener;
  /** The oldest entry that the store has, as far as this process knows. */
  #first = 1;
  #next: number | undefined;
  #trustedUntilMs = Number.NEGATIVE_INFINITY;
  #trustedUntil = Number.NEGATIVE_INFINITY;
  /** The latest date this process has seen here: one before it shows that the wall clock was put back. */
  #latest = Number.NEGATIVE_INFINITY;
  #cancelLapse: (() => void) | undefined;
  #polling: Promise<void> | undefined;
  #watch: Disposable | undefined;
  /** The store hinted at news while it was being read: what was read may be older. */
  #hinted = false;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(store: Store, clock: Clock, times: StopFeedTimes, listener: StopListener) {
    this.#store = store;
    this.#clock = clock;
    this.#times = times;
    this.#listener = listener;
  }

  /** Monotonic ms until which what was heard may be believed. */
  get trustedUntilMs(): number {
    return this.#trustedUntilMs;
  }

  /**
   * Whether this process has listened recently enough for its cells to be believed. Both clocks must agree: a
   * suspended machine stops one of them, and the other can be put back.
   *
   * Every tool call asks, so this reads the wall clock alone: a timer ends the trust by the monotonic one. That is
   * read here only where the date shows that the wall clock was put back.
   */
  isTrusted(now: number = this.#clock.now()): boolean {
    if (now >= this.#trustedUntil) return false;
    if (now < this.#latest) return this.#clock.monotonicMs() < this.#trustedUntilMs;
    this.#latest = now;
    return true;
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
      if (await this.#store.append(stream, (last?.sequence ?? 0) + 1, [value])) return;
    }
  }

  /** Removes notices that are not among the newest `keep`. Who has not heard them yet notices that some are missing. */
  async trim(keep: number): Promise<void> {
    // What was read says how many there are: as long as they are few enough, the store is not asked.
    const newest = (this.#next ?? 1) - 1;
    if (newest - this.#first < keep) return;
    for await (const { sequence } of this.#store.read(stream, 1)) {
      this.#first = sequence;
      break;
    }
    const from = Math.min(newest - keep + 1, this.#first + trimmedPerRound);
    if (from <= this.#first) return;
    await this.#store.trim(stream, from);
    this.#first = from;
  }

  close(): void {
    this.#closed = true;
    this.#watch?.[Symbol.dispose]();
    this.#cancelTimer?.();
    this.#cancelLapse?.();
    this.#lapse();
  }

  #trust(heardAtMs: number, heardAt: number): void {
    const { trustMs } = this.#times;
    this.#trustedUntilMs = heardAtMs + trustMs;
    this.#trustedUntil = heardAt + trustMs;
    this.#latest = heardAt;
    this.#cancelLapse?.();
    const leftMs = this.#trustedUntilMs - this.#clock.monotonicMs();
    this.#cancelLapse = this.#clock.schedule(() => this.#lapse(), Math.max(0, leftMs));
  }

  #lapse(): void {
    this.#trustedUntil = Number.NEGATIVE_INFINITY;
  }

  #keepListening(): void {
    if (this.#cancelTimer !== undefined || this.#closed) return;
    this.#watch ??= this.#watchStore();
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

  /** Where the store tells of writes at no cost: one that would have to look for them is polled seldom enough. */
  #watchStore(): Disposable | undefined {
    if (this.#store.watchesByPolling) return undefined;
    try {
      return this.#store.watch?.({ streams: [stream] }, () => this.#hint());
    } catch {
      // A store that cannot be watched now, because it is being closed for example, is still polled.
      return undefined;
    }
  }

  /** The store says that there may be news. It only makes this process hear sooner: it polls all the same. */
  #hint(): void {
    if (this.#closed) return;
    if (this.#polling !== undefined) {
      this.#hinted = true;
      return;
    }
    // What cannot be read now is read by the next poll; until then the trust runs out.
    this.#poll().catch(() => undefined);
  }

  #poll(): Promise<void> {
    this.#polling ??= this.#read().finally(() => {
      this.#polling = undefined;
      if (!this.#hinted) return;
      this.#hinted = false;
      this.#hint();
    });
    return this.#polling;
  }

  async #read(): Promise<void> {
    const startedMonotonic = this.#clock.monotonicMs();
    const startedWall = this.#clock.now();
    // The first reading only marks the place: cells are loaded after it, so they know what came before.
    this.#next ??= ((await this.#store.last(stream))?.sequence ?? 0) + 1;
    for await (const entry of this.#store.read(stream, this.#next)) {
      if (entry.sequence > this.#next) this.#listener.missed();
      this.#next = entry.sequence + 1;
      this.#listener.heard(JSON.parse(entry.value) as StopNotice);
    }
    this.#trust(startedMonotonic, startedWall);
  }
}

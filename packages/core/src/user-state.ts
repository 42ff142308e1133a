import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';
import type { Principal } from './principal.ts';
import type { Effect } from './requirement.ts';

/** What a gate says of a person. Anything but `active` denies. */
export type UserState = 'active' | 'paused' | 'revoked' | 'step_up' | 'unknown';

/** When the gate is asked. */
export type GateMoment = 'start' | 'claim' | 'response' | 'revalidate' | 'resume';

/**
 * Asks whether a principal may still be acted for. A throw, a time-out or an unexpected answer counts as
 * `unknown`, and `unknown` denies.
 */
export type Gate = (
  principal: Principal,
  context: { readonly moment: GateMoment; readonly signal: AbortSignal },
) => UserState | Promise<UserState>;

/** A gate with a name, for pauses and the audit log. */
export interface GateSource {
  readonly name: string;
  readonly check: Gate;
}

/** For apps whose principals cannot be suspended. Saying so is a decision, hence a name. */
export const alwaysActive: Gate = () => 'active';

/** What is known about a person, and who said so. */
export interface Verdict {
  readonly state: UserState;
  readonly source: string;
}

/** For how long `unknown` is tolerated after the last positive answer, per effect. Nothing is minted meanwhile. */
export type UnknownTolerance = Readonly<Record<Effect, number>>;

/** Times that govern the gate, ms. */
export interface GateTimes {
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly revalidateMs: number;
  readonly toleranceMs: UnknownTolerance;
}

/** What this process knows about one principal, readable without I/O. */
export interface SubjectCell {
  readonly principal: Principal;
  verdict: Verdict;
  /** Monotonic ms until which the fast path may believe `verdict`. */
  trustedUntilMs: number;
  /** The same as epoch ms: a machine that sleeps may stop the monotonic clock. */
  trustedUntil: number;
  /** Monotonic ms of the last positive answer. */
  lastActiveMs: number;
  /** Counts what was heard, so that an answer asked for before it is not believed after it. */
  heard: number;
}

const restrictiveness: Record<UserState, number> = {
  active: 0,
  unknown: 1,
  step_up: 2,
  paused: 3,
  revoked: 4,
};

const pushedSource = 'reported';

/** What the user-state check needs from the rest of the runtime. */
export interface UserStateContext {
  readonly clock: Clock;
  readonly sources: readonly GateSource[];
  readonly times: GateTimes;
  /** The state that was pushed for this principal, if any; it never expires by itself. */
  readonly reported: (principal: Principal) => Promise<UserState | undefined>;
  /** Hears of every change of verdict. */
  readonly changed: (principal: Principal, verdict: Verdict, before: Verdict) => void;
}

/** Asks the gate, coalesces the asking, and keeps what fast paths may believe. One per process. */
export class UserStates {
  readonly #context: UserStateContext;
  readonly #cells = new Map<string, SubjectCell>();
  readonly #asking = new Map<string, Promise<Verdict>>();

  constructor(context: UserStateContext) {
    this.#context = context;
  }

  /** The cell of `principal`; it starts untrusted, so the first use asks. */
  cell(principal: Principal, id: string): SubjectCell {
    let cell = this.#cells.get(id);
    if (cell === undefined) {
      cell = {
        principal,
        verdict: { state: 'unknown', source: 'nobody asked yet' },
        trustedUntilMs: Number.NEGATIVE_INFINITY,
        trustedUntil: Number.NEGATIVE_INFINITY,
        lastActiveMs: Number.NEGATIVE_INFINITY,
        heard: 0,
      };
      this.#cells.set(id, cell);
    }
    return cell;
  }

  /** Makes the next use ask again. */
  distrust(id: string): void {
    const cell = this.#cells.get(id);
    if (cell === undefined) return;
    cell.heard += 1;
    cell.trustedUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** There is news: something was pushed, or another process was told no. Only an answer counts after it, no silence. */
  hear(id: string): void {
    this.distrust(id);
    const cell = this.#cells.get(id);
    if (cell !== undefined) cell.lastActiveMs = Number.NEGATIVE_INFINITY;
  }

  /** News may have been missed: about anybody. */
  hearAll(): void {
    for (const id of this.#cells.keys()) this.hear(id);
  }

  /** Asks, unless a positive answer is younger than the cache time or someone is asking already. */
  async check(principal: Principal, id: string, moment: GateMoment): Promise<Verdict> {
    const cell = this.cell(principal, id);
    const { clock, times } = this.#context;
    const age = clock.monotonicMs() - cell.lastActiveMs;
    const trusted = this.isTrusted(cell);
    if (trusted && cell.verdict.state === 'active' && age < times.cacheMs) return cell.verdict;
    let asking = this.#asking.get(id);
    if (asking === undefined) {
      asking = this.#ask(cell, moment).finally(() => this.#asking.delete(id));
      this.#asking.set(id, asking);
    }
    return asking;
  }

  /** Whether the last answer may still be believed. */
  isTrusted(cell: SubjectCell): boolean {
    const { clock } = this.#context;
    return clock.monotonicMs() < cell.trustedUntilMs && clock.now() < cell.trustedUntil;
  }

  /** Whether a call with `effect` may go on with a token it already has. Minting needs `active`. */
  tolerates(cell: SubjectCell, effect: Effect): boolean {
    if (cell.verdict.state === 'active') return true;
    if (cell.verdict.state !== 'unknown') return false;
    const silentMs = this.#context.clock.monotonicMs() - cell.lastActiveMs;
    return silentMs < this.#context.times.toleranceMs[effect];
  }

  /** Whether the last positive answer is old enough to ask again before fast paths stop believing it. */
  wantsRevalidation(cell: SubjectCell): boolean {
    const { clock, times } = this.#context;
    return clock.monotonicMs() - cell.lastActiveMs >= times.revalidateMs / 2;
  }

  async #ask(cell: SubjectCell, moment: GateMoment): Promise<Verdict> {
    const { clock, times } = this.#context;
    for (;;) {
      const askedAtMs = clock.monotonicMs();
      const askedAt = clock.now();
      const { heard } = cell;
      const verdict = await this.#mostRestrictive(cell.principal, moment);
      // Whoever asked after the news shares this answer, so it must not be older than the news.
      if (cell.heard !== heard) continue;
      const before = cell.verdict;
      cell.verdict = verdict;
      const trustedForMs = verdict.state === 'active' ? times.revalidateMs : -Infinity;
      cell.trustedUntilMs = askedAtMs + trustedForMs;
      cell.trustedUntil = askedAt + trustedForMs;
      if (verdict.state === 'active') cell.lastActiveMs = askedAtMs;
      // Who was denied is not tolerated when the gate then falls silent.
      else if (verdict.state !== 'unknown') cell.lastActiveMs = -Infinity;
      if (verdict.state !== before.state) this.#context.changed(cell.principal, verdict, before);
      return verdict;
    }
  }

  async #mostRestrictive(principal: Principal, moment: GateMoment): Promise<Verdict> {
    const { sources, reported } = this.#context;
    const verdicts = await Promise.all([
      this.#bounded(async () => (await reported(principal)) ?? 'active', pushedSource),
      ...sources.map((source) =>
        this.#bounded((signal) => source.check(principal, { moment, signal }), source.name),
      ),
    ]);
    return verdicts.reduce((worst, verdict) =>
      restrictiveness[verdict.state] > restrictiveness[worst.state] ? verdict : worst,
    );
  }

  /** One source, within its time; whatever goes wrong is `unknown`, which denies. */
  async #bounded(
    ask: (signal: AbortSignal) => UserState | Promise<UserState>,
    source: string,
  ): Promise<Verdict> {
    const { clock, times } = this.#context;
    const asked = new AbortController();
    const done = new AbortController();
    try {
      const state = await Promise.race([
        ask(asked.signal),
        sleep(clock, times.timeoutMs, done.signal).then((): UserState => 'unknown'),
      ]);
      return { state: Object.hasOwn(restrictiveness, state) ? state : 'unknown', source };
    } catch {
      // Fails closed: why a directory could not answer does not matter to the call that needs it.
      return { state: 'unknown', source };
    } finally {
      asked.abort();
      done.abort();
    }
  }
}

import type { Clock } from './clock.ts';
import { inTime } from './clock.ts';
import { AuthError } from './errors.ts';
import type { GrantActivity } from './grant-activity.ts';
import type { Principal } from './principal.ts';
import type { Effect } from './requirement.ts';
import { SourceHealth } from './source-health.ts';

/** What a gate says of a person. Anything but `active` denies. */
export type UserState = 'active' | 'paused' | 'revoked' | 'step_up' | 'unknown';

/** When the gate is asked. */
export type GateMoment = 'start' | 'claim' | 'response' | 'revalidate' | 'resume';

/** What a gate is told besides the principal, and what it may ask. */
export interface GateContext {
  readonly moment: GateMoment;
  /** Aborts when the answer would come too late. */
  readonly signal: AbortSignal;
  /** Asks a provider's issuer whether it still honours the principal's grant (RFC 7662). No token leaves the runtime. */
  readonly introspect: (provider: string) => Promise<GrantActivity>;
}

/**
 * Asks whether a principal may still be acted for. A throw, a time-out or an unexpected answer counts as
 * `unknown`, and `unknown` denies.
 */
export type Gate = (principal: Principal, context: GateContext) => UserState | Promise<UserState>;

/** A gate with a name, for pauses and the audit log. */
export interface GateSource {
  readonly name: string;
  readonly check: Gate;
  /**
   * Which principals it knows about; default all. Where a principal is known to none of the sources the answer is
   * `unknown`: give service principals a source of their own, {@link alwaysActive} if an operator's kill switch is
   * all that may stop them.
   */
  readonly appliesTo?: (principal: Principal) => boolean;
}

/** For apps whose principals cannot be suspended. Saying so is a decision, hence a name. */
export const alwaysActive: Gate = () => 'active';

/** What is known about a person, and who said so. */
export interface Verdict {
  readonly state: UserState;
  readonly source: string;
  /** A kill switch says so: what is stopped is the agent, the tenant or the provider, not the person. */
  readonly isKillSwitch?: true;
}

/** The error of a call that `verdict` denies. */
export function denialOf({ state, source, isKillSwitch }: Verdict): AuthError {
  const detail = `${source} says ${state}`;
  if (isKillSwitch) return new AuthError('stopped_by_operator', { reason: source, detail });
  return new AuthError('user_state', { reason: state, detail });
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

/** How much each state forbids. */
export const restrictiveness: Readonly<Record<UserState, number>> = {
  active: 0,
  unknown: 1,
  step_up: 2,
  paused: 3,
  revoked: 4,
};

const pushedSource = 'reported';
const noSource: Verdict = { state: 'unknown', source: 'no source' };

/** What the user-state check needs from the rest of the runtime. */
export interface UserStateContext {
  readonly clock: Clock;
  readonly sources: readonly GateSource[];
  readonly times: GateTimes;
  /** The state that was pushed for this principal, if any; it never expires by itself. */
  readonly reported: (principal: Principal) => Promise<Verdict | undefined>;
  readonly introspect: (principal: Principal, provider: string) => Promise<GrantActivity>;
  /** Hears that a source has fallen silent, with a principal to ask it about later; and that it answers again. */
  readonly held: (source: string, principal: Principal) => void;
  readonly released: (source: string) => void;
  /** Hears of every change of verdict. */
  readonly changed: (principal: Principal, verdict: Verdict, before: Verdict) => void;
}

/** Asks the gate, coalesces the asking, and keeps what fast paths may believe. One per process. */
export class UserStates {
  readonly #context: UserStateContext;
  readonly #cells = new Map<string, SubjectCell>();
  readonly #asking = new Map<string, Promise<Verdict>>();
  readonly #health: ReadonlyMap<string, SourceHealth>;

  constructor(context: UserStateContext) {
    this.#context = context;
    this.#health = new Map(
      context.sources.map(({ name }) => [name, new SourceHealth(context.clock)]),
    );
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

  /** A source fell silent or answers again, here or in another process: whatever it said is asked again. */
  hearSource(source: string): void {
    this.#health.get(source)?.askAgain();
    this.#distrustAll();
  }

  /** Asks a silent source about `principal`, whoever waits for it. Answers whether it speaks again. */
  async probe(source: string, principal: Principal): Promise<boolean> {
    const found = this.#context.sources.find(({ name }) => name === source);
    const health = this.#health.get(source);
    if (found === undefined || health === undefined) return false;
    health.askAgain();
    await this.#asked(found, principal, 'revalidate');
    return health.speaks;
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

  #distrustAll(): void {
    for (const id of this.#cells.keys()) this.distrust(id);
  }

  async #mostRestrictive(principal: Principal, moment: GateMoment): Promise<Verdict> {
    const { sources, reported } = this.#context;
    const applicable = sources.filter((source) => appliesTo(source, principal));
    const verdicts = await Promise.all([
      this.#reported(() => reported(principal)),
      ...applicable.map((source) => this.#asked(source, principal, moment)),
    ]);
    return mostRestrictive(applicable.length === 0 ? [...verdicts, noSource] : verdicts);
  }

  /** What was pushed; a store that cannot tell makes it unknown. */
  async #reported(read: () => Promise<Verdict | undefined>): Promise<Verdict> {
    const answer = await this.#bounded(read);
    if (answer === silence) return { state: 'unknown', source: pushedSource };
    return answer ?? { state: 'active', source: pushedSource };
  }

  /** What one source says. Silence is `unknown`, and one that has fallen silent is not asked by everybody. */
  async #asked(source: GateSource, principal: Principal, moment: GateMoment): Promise<Verdict> {
    const { name, check } = source;
    const { introspect, held, released } = this.#context;
    const health = this.#health.get(name);
    const silent: Verdict = { state: 'unknown', source: name };
    if (health?.mayAsk() === false) return silent;
    const answer = await this.#bounded((signal) =>
      check(principal, {
        moment,
        signal,
        introspect: (provider) => introspect(principal, provider),
      }),
    );
    if (answer === silence || !Object.hasOwn(restrictiveness, answer)) {
      if (health?.failed() === 'now held') {
        held(name, principal);
        // Calls that cannot be undone are refused from now on, also where an older answer would have served.
        this.#distrustAll();
      }
      return silent;
    }
    if (health?.answered() === 'now released') released(name);
    return { state: answer, source: name };
  }

  /** One answer, within its time; whatever goes wrong is silence. */
  async #bounded<T>(ask: (signal: AbortSignal) => T | Promise<T>): Promise<T | typeof silence> {
    const { clock, times } = this.#context;
    const asked = new AbortController();
    const late = (): typeof silence => {
      asked.abort(new DOMException('the gate did not answer in time', 'TimeoutError'));
      return silence;
    };
    try {
      return await inTime<T | typeof silence>(
        clock,
        times.timeoutMs,
        () => ask(asked.signal),
        late,
      );
    } catch {
      // Fails closed: why a directory could not answer does not matter to the call that needs it.
      return silence;
    }
  }
}

function appliesTo(source: GateSource, principal: Principal): boolean {
  try {
    return source.appliesTo?.(principal) ?? true;
  } catch {
    // Who cannot tell is asked: then the answer decides, or the lack of one.
    return true;
  }
}

/** What a question gets that was not answered. */
const silence: unique symbol = Symbol('silence');

/** The verdict that forbids most; of equals the first. */
export function mostRestrictive(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((worst, verdict) =>
    restrictiveness[verdict.state] > restrictiveness[worst.state] ? verdict : worst,
  );
}

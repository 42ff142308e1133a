import type { GateMoment } from './gate.ts';
import { GateSources, type GateSourcesContext } from './gate-sources.ts';
import type { Principal } from './principal.ts';
import type { Effect } from './requirement.ts';
import type { Verdict } from './verdict.ts';

/** What this process knows about one principal, readable without I/O. */
export interface SubjectCell {
  readonly principal: Principal;
  verdict: Verdict;
  /** Epoch ms until which the fast path may believe `verdict`, with {@link UserStates.trustedUntilMs}. */
  trustedUntil: number;
  /** Monotonic ms of the last positive answer. */
  lastActiveMs: number;
  /** Counts what was heard, so that an answer asked for before it is not believed after it. */
  heard: number;
}

const notAsked: Verdict = { state: 'unknown', source: 'nobody asked yet' };

/** What the user-state check needs from the rest of the runtime. */
export interface UserStateContext extends GateSourcesContext {
  /** Hears of every change of verdict. */
  readonly changed: (principal: Principal, verdict: Verdict, before: Verdict) => void;
}

/** Asks the gate, coalesces the asking, and keeps what fast paths may believe. One per process. */
export class UserStates {
  readonly #context: UserStateContext;
  readonly #cells = new Map<string, SubjectCell>();
  readonly #asking = new Map<string, Promise<Verdict>>();
  readonly #sources: GateSources;

  constructor(context: UserStateContext) {
    this.#context = context;
    this.#sources = new GateSources({
      ...context,
      held: (source, principal) => {
        context.held(source, principal);
        // Calls that cannot be undone are refused from now on, also where an older answer would have served.
        this.#distrustAll();
      },
    });
  }

  /** The cell of `principal`; it starts untrusted, so the first use asks. */
  cell(principal: Principal, id: string): SubjectCell {
    let cell = this.#cells.get(id);
    if (cell === undefined) {
      cell = {
        principal,
        verdict: notAsked,
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
    cell.trustedUntil = Number.NEGATIVE_INFINITY;
  }

  /** There is news: something was pushed, or another process was told no. Only an answer counts after it, no silence. */
  hear(id: string): void {
    this.distrust(id);
    const cell = this.#cells.get(id);
    if (cell !== undefined) cell.lastActiveMs = Number.NEGATIVE_INFINITY;
  }

  /** A source fell silent or answers again, here or in another process: whatever it said is asked again. */
  hearSource(source: string): void {
    this.#sources.askAgain(source);
    this.#distrustAll();
  }

  /** Asks a silent source about `principal`, whoever waits for it. Answers whether it speaks again. */
  probe(source: string, principal: Principal): Promise<boolean> {
    return this.#sources.probe(source, principal);
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
    return clock.monotonicMs() < this.trustedUntilMs(cell) && clock.now() < cell.trustedUntil;
  }

  /** Monotonic ms until which a positive answer may be believed: a machine that sleeps may stop one clock, and not both. */
  trustedUntilMs({ lastActiveMs }: SubjectCell): number {
    return lastActiveMs + this.#context.times.revalidateMs;
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
      const verdict = await this.#sources.ask(cell.principal, moment);
      // Whoever asked after the news shares this answer, so it must not be older than the news.
      if (cell.heard !== heard) continue;
      const before = cell.verdict;
      cell.verdict = verdict;
      const trustedForMs = verdict.state === 'active' ? times.revalidateMs : -Infinity;
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
}

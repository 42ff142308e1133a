import type { Clock } from './clock.ts';
import { inTime } from './clock.ts';
import type { GateMoment, GateSource, GateTimes, UserState } from './gate.ts';
import type { GrantActivity } from './grant-activity.ts';
import type { Principal } from './principal.ts';
import { SourceHealth } from './source-health.ts';
import { mostRestrictive, type Verdict } from './verdict.ts';

/** What asking the gate needs from the rest of the runtime. */
export interface GateSourcesContext {
  readonly clock: Clock;
  readonly sources: readonly GateSource[];
  readonly times: GateTimes;
  /** The state that was pushed for this principal, if any; it never expires by itself. */
  readonly reported: (principal: Principal) => Promise<Verdict | undefined>;
  readonly introspect: (principal: Principal, provider: string) => Promise<GrantActivity>;
  /** Hears that a source has fallen silent, with a principal to ask it about later; and that it answers again. */
  readonly held: (source: string, principal: Principal) => void;
  readonly released: (source: string) => void;
}

/** A source as this process knows it. */
interface KnownSource {
  readonly source: GateSource;
  readonly health: SourceHealth;
  readonly says: Verdicts;
}

/** What a source can say: one object for everybody it says so of, since a process may know very many people. */
type Verdicts = Readonly<Record<UserState, Verdict>>;

const pushed = verdictsOf('reported');
const noSource: Verdict = { state: 'unknown', source: 'no source' };

/** Who is asked about a principal: what was pushed to the app, and every source of the gate. */
export class GateSources {
  readonly #context: GateSourcesContext;
  readonly #sources: readonly KnownSource[];

  constructor(context: GateSourcesContext) {
    this.#context = context;
    this.#sources = context.sources.map((source) => ({
      source,
      health: new SourceHealth(context.clock),
      says: verdictsOf(source.name),
    }));
  }

  /** What is said of `principal` that forbids most. */
  async ask(principal: Principal, moment: GateMoment): Promise<Verdict> {
    const { reported } = this.#context;
    const applicable = this.#sources.filter(({ source }) => appliesTo(source, principal));
    const verdicts = await Promise.all([
      this.#reported(() => reported(principal)),
      ...applicable.map((known) => this.#asked(known, principal, moment)),
    ]);
    return mostRestrictive(applicable.length === 0 ? [...verdicts, noSource] : verdicts);
  }

  /** The next question may go to this source at once. */
  askAgain(name: string): void {
    this.#find(name)?.health.askAgain();
  }

  /** Asks a silent source about `principal`, whoever waits for it. Answers whether it speaks again. */
  async probe(name: string, principal: Principal): Promise<boolean> {
    const found = this.#find(name);
    if (found === undefined) return false;
    found.health.askAgain();
    await this.#asked(found, principal, 'revalidate');
    return found.health.speaks;
  }

  #find(name: string): KnownSource | undefined {
    return this.#sources.find(({ source }) => source.name === name);
  }

  /** What was pushed; a store that cannot tell makes it unknown. */
  async #reported(read: () => Promise<Verdict | undefined>): Promise<Verdict> {
    const answer = await this.#bounded(read);
    if (answer === silence) return pushed.unknown;
    return answer ?? pushed.active;
  }

  /** What one source says. Silence is `unknown`, and one that has fallen silent is not asked by everybody. */
  async #asked(
    { source, health, says }: KnownSource,
    principal: Principal,
    moment: GateMoment,
  ): Promise<Verdict> {
    const { name, check } = source;
    const { introspect, held, released } = this.#context;
    if (!health.mayAsk()) return says.unknown;
    const answer = await this.#bounded((signal) =>
      check(principal, {
        moment,
        signal,
        introspect: (provider) => introspect(principal, provider),
      }),
    );
    if (answer === silence || !Object.hasOwn(says, answer)) {
      if (health.failed() === 'now held') held(name, principal);
      return says.unknown;
    }
    if (health.answered() === 'now released') released(name);
    return says[answer];
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

function verdictsOf(source: string): Verdicts {
  return {
    active: { state: 'active', source },
    unknown: { state: 'unknown', source },
    step_up: { state: 'step_up', source },
    paused: { state: 'paused', source },
    revoked: { state: 'revoked', source },
  };
}

import * as z from 'zod';
import { switchStream } from './audit-streams.ts';
import { recordKey } from './record-key.ts';
import type { Runtime } from './runtime.ts';
import { stamped } from './runtime.ts';
import { checked } from './validation.ts';
import type { Verdict } from './verdict.ts';

/** What an operator stops as a whole. */
export type KillSwitchTarget =
  | { readonly agent: string }
  | { readonly tenant: string }
  | { readonly provider: string };

/** A kill switch as an operator left it. */
export interface KillSwitch {
  readonly target: KillSwitchTarget;
  readonly status: 'stopped' | 'released';
  /** Who says so. */
  readonly by: string;
  readonly reason?: string;
  /** Epoch ms. */
  readonly at: number;
}

/** Who throws or releases a switch, and why. */
export interface KillSwitchWord {
  readonly by: string;
  readonly reason?: string;
}

/** What a call is made with, as switches see it. */
export interface SwitchScope {
  readonly agent?: string;
  readonly tenant: string | undefined;
  readonly provider?: string;
}

const text = z.string().min(1);
const targetSchema = z.union(
  [
    z.strictObject({ agent: text }),
    z.strictObject({ tenant: text }),
    z.strictObject({ provider: text }),
  ],
  'expected { agent }, { tenant } or { provider }',
);
const wordSchema = z.strictObject({ by: text, reason: text.optional() });

/**
 * Stops an agent, a tenant or a provider for everybody at once, until somebody releases it. Every process stops
 * within a second; the tasks stay, paused as they next ask for authority.
 */
export class KillSwitches {
  readonly #runtime: () => Runtime;
  #stopped: ReadonlyMap<string, KillSwitch> = new Map();
  #believedUntilMs = Number.NEGATIVE_INFINITY;
  /** Counts what was heard, so that a reading that began before a notice is not believed after it. */
  #heard = 0;

  constructor(runtime: () => Runtime) {
    this.#runtime = runtime;
  }

  /** Stops `target`. Resolves when it is durable and told. @throws {ConfigurationError} when a field is wrong. */
  stop(target: KillSwitchTarget, word: KillSwitchWord): Promise<void> {
    return this.#write(target, word, 'stopped');
  }

  /** Lets `target` go on. @throws {ConfigurationError} when a field is wrong. */
  release(target: KillSwitchTarget, word: KillSwitchWord): Promise<void> {
    return this.#write(target, word, 'released');
  }

  /** The switches that are thrown now. */
  async stopped(): Promise<readonly KillSwitch[]> {
    await this.#load();
    return [...this.#stopped.values()];
  }

  /** @internal Monotonic ms until which `blocks` may be believed. */
  get believedUntilMs(): number {
    return this.#believedUntilMs;
  }

  /** @internal There is news: what is known must be read again. */
  hear(): void {
    this.#heard += 1;
    this.#believedUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** @internal Whether any switch is thrown, as far as this process knows: mostly none is, and nobody has to be looked up. */
  get anyThrown(): boolean {
    return this.#stopped.size > 0;
  }

  /** @internal Whether a switch stops this, as far as this process knows. No I/O. */
  blocks(scope: SwitchScope): boolean {
    return this.#verdict(scope) !== undefined;
  }

  /** @internal Reads again what will soon not be believed any more, so that fast paths stay open. Part of maintenance. */
  async refresh(): Promise<void> {
    const { clock, policy } = this.#runtime();
    if (this.#believedUntilMs - clock.monotonicMs() <= policy.revalidateMs / 2) await this.#load();
  }

  /** @internal Which switch stops this, after whatever has to be read. */
  async check(scope: SwitchScope): Promise<Verdict | undefined> {
    const { feed, clock } = this.#runtime();
    await feed.ensureFresh();
    if (clock.monotonicMs() >= this.#believedUntilMs) await this.#load();
    return this.#verdict(scope);
  }

  #verdict({ agent, tenant, provider }: SwitchScope): Verdict | undefined {
    const targets: KillSwitchTarget[] = [
      ...(agent === undefined ? [] : [{ agent }]),
      ...(tenant === undefined ? [] : [{ tenant }]),
      ...(provider === undefined ? [] : [{ provider }]),
    ];
    const found = targets.find((target) => this.#stopped.has(nameOf(target)));
    if (found === undefined) return undefined;
    const [kind] = partsOf(found);
    return { state: 'paused', source: kind, isKillSwitch: true };
  }

  async #load(): Promise<void> {
    const { records, feed, clock, policy } = this.#runtime();
    for (;;) {
      // The feed first: what happens after the reading is then heard.
      await feed.ensureFresh();
      const heard = this.#heard;
      const startedMs = clock.monotonicMs();
      const stopped = new Map<string, KillSwitch>();
      for await (const { key } of records.list({ kind: 'switch', status: 'stopped' })) {
        const found = await records.get<KillSwitch>(key);
        if (found?.value.status === 'stopped') stopped.set(nameOf(found.value.target), found.value);
      }
      if (heard !== this.#heard) continue;
      this.#stopped = stopped;
      this.#believedUntilMs = startedMs + policy.revalidateMs;
      return;
    }
  }

  async #write(
    target: KillSwitchTarget,
    word: KillSwitchWord,
    status: KillSwitch['status'],
  ): Promise<void> {
    checked(targetSchema, target, 'killSwitches: target');
    checked(wordSchema, word, 'killSwitches');
    const runtime = this.#runtime();
    const { records, clock, feed, audit } = runtime;
    const [kind, name] = partsOf(target);
    const key = recordKey('switch', undefined, kind, name);
    const value: KillSwitch = { target, status, ...word, at: clock.now() };
    for (;;) {
      const version = await records.version(key);
      if (await records.swap(key, version, value, { kind: 'switch', status })) break;
    }
    this.hear();
    await feed.publish({ kind: 'switch', id: kind });
    audit.record(
      switchStream(kind, name),
      stamped(runtime, {
        type: status === 'stopped' ? 'switch-thrown' : 'switch-released',
        by: word.by,
        ...(kind === 'agent' ? { agent: name } : {}),
        ...(kind === 'provider' ? { provider: name } : {}),
        outcome: `${kind} ${name}`,
        ...(word.reason === undefined ? {} : { reason: word.reason }),
      }),
    );
  }
}

function partsOf(target: KillSwitchTarget): readonly ['agent' | 'tenant' | 'provider', string] {
  if ('agent' in target) return ['agent', target.agent];
  if ('tenant' in target) return ['tenant', target.tenant];
  return ['provider', target.provider];
}

function nameOf(target: KillSwitchTarget): string {
  return partsOf(target).join(' ');
}

import { holdStream } from './audit-streams.ts';
import type { Principal } from './principal.ts';
import { recordKey } from './record-key.ts';
import type { Versioned } from './records.ts';
import { type Runtime, stamped } from './runtime.ts';
import type { RecordIndex } from './store.ts';

/**
 * A gate source has fallen silent: whoever needs its answer waits. One for each source, however many tasks wait and
 * processes notice, and it ends by itself when the source answers again.
 */
export interface Hold {
  /** Name of the gate source. */
  readonly source: string;
  readonly status: 'open' | 'over';
  /** Epoch ms. */
  readonly openedAt: number;
  /** Epoch ms. */
  readonly endedAt?: number;
}

interface HoldRecord extends Hold {
  /** Whom to ask the source about. */
  readonly principal: Principal;
  /** Whether the app was told, or a process is telling it. */
  readonly noticed: boolean;
}

/** How long after one process looked at an open hold another one does. */
const lookAgainMs = 2000;

/** The holds of all processes: opened and ended by whoever notices first, looked after by maintenance. */
export class Holds {
  readonly #runtime: () => Runtime;
  readonly #notice: { readonly afterMs: number; readonly tell: HoldListener | undefined };

  /** Silent sources, each with a principal to ask it about, of which the store could not be told yet. */
  readonly #unwritten = new Map<string, Principal>();

  constructor(
    runtime: () => Runtime,
    notice: { readonly afterMs: number; readonly tell: HoldListener | undefined },
  ) {
    this.#runtime = runtime;
    this.#notice = notice;
  }

  /** Notes that `source` is silent. Nothing changes where that is known. A store that is away is told by {@link retry}. */
  async open(source: string, principal: Principal): Promise<void> {
    this.#unwritten.set(source, principal);
    await this.#write(source, principal);
    this.#unwritten.delete(source);
  }

  /** Tells the store of what it could not be told. Part of maintenance. */
  async retry(): Promise<void> {
    for (const [source, principal] of this.#unwritten) await this.open(source, principal);
  }

  async #write(source: string, principal: Principal): Promise<void> {
    const { records, clock } = this.#runtime();
    const key = holdKey(source);
    for (;;) {
      const found = await records.get<HoldRecord>(key);
      if (found?.value.status === 'open') return;
      const now = clock.now();
      const hold = { source, status: 'open', openedAt: now, principal, noticed: false } as const;
      const version = found?.version ?? (await records.version(key));
      if (!(await records.swap(key, version, hold, holdIndex(hold, now + lookAgainMs)))) continue;
      await this.#tell(hold, 'hold-opened');
      return;
    }
  }

  /** Notes that `source` answers again. */
  async end(source: string): Promise<void> {
    this.#unwritten.delete(source);
    const { records, clock } = this.#runtime();
    const key = holdKey(source);
    for (;;) {
      const found = await records.get<HoldRecord>(key);
      if (found?.value.status !== 'open') return;
      const over: HoldRecord = { ...found.value, status: 'over', endedAt: clock.now() };
      if (!(await records.swap(key, found.version, over, holdIndex(over)))) continue;
      await this.#tell(over, 'hold-ended');
      return;
    }
  }

  /** The holds that are open now. */
  async *current(): AsyncIterable<Hold> {
    const { records } = this.#runtime();
    for await (const { key } of records.list({ kind: 'hold', status: 'open' })) {
      const found = await records.get<HoldRecord>(key);
      if (found?.value.status !== 'open') continue;
      const { source, status, openedAt } = found.value;
      yield { source, status, openedAt };
    }
  }

  /** Asks a silent source once more, and tells the app where it has been silent for long. Part of maintenance. */
  async lookAfter(hold: Pick<Hold, 'source'>): Promise<void> {
    const { records, clock, userStates } = this.#runtime();
    const key = holdKey(hold.source);
    const found = await records.get<HoldRecord>(key);
    if (found?.value.status !== 'open') return;
    const { openedAt, noticed, principal, source } = found.value;
    if (await userStates.probe(source, principal)) return this.end(source);
    const mayTell = !noticed && clock.now() - openedAt >= this.#notice.afterMs;
    const looked: HoldRecord = { ...found.value, noticed: noticed || mayTell };
    const index = holdIndex(looked, clock.now() + lookAgainMs);
    // Lost to another process that looks after it: then that one tells.
    if (!(await records.swap(key, found.version, looked, index))) return;
    if (mayTell) await this.#notify({ version: found.version + 1, value: looked, index });
  }

  async #notify({ version, value, index }: Versioned<HoldRecord>): Promise<void> {
    const { source, status, openedAt } = value;
    try {
      await this.#notice.tell?.({ source, status, openedAt });
    } catch (error) {
      // Nobody was told: the next look tries again.
      const { records } = this.#runtime();
      await records.swap(holdKey(source), version, { ...value, noticed: false }, index);
      throw error;
    }
  }

  async #tell(hold: HoldRecord, type: 'hold-opened' | 'hold-ended'): Promise<void> {
    const runtime = this.#runtime();
    runtime.audit.record(holdStream(hold.source), stamped(runtime, { type, outcome: hold.source }));
    await runtime.feed.publish({ kind: 'hold', id: hold.source });
  }
}

/** Hears of a hold. */
export type HoldListener = (hold: Hold) => void | Promise<void>;

function holdKey(source: string): string {
  return recordKey('hold', undefined, source);
}

function holdIndex(hold: HoldRecord, dueAt?: number): RecordIndex {
  return { kind: 'hold', status: hold.status, ...(dueAt === undefined ? {} : { dueAt }) };
}

import type { Pause } from './pause-record.ts';
import { createRecentMap } from './recent-map.ts';
import type { Versioned } from './records.ts';
import {
  deadlineOf,
  type TaskAuthority,
  type TaskIdentity,
  type TaskRecord,
} from './task-record.ts';
import { hasEnded, type TaskStatus } from './task-state.ts';

/**
 * What this process knows about a task, readable without I/O. A process may know very many: it holds no more than what
 * calls are decided by, and the record is read where more is needed.
 */
export interface TaskCell extends TaskIdentity, TaskTerms {
  version: number;
  status: TaskStatus;
  /** The pause it waits for. */
  pause: Pause | undefined;
  /** Epoch ms at which it runs out of time, were it to stay as it is. */
  deadlineAt: number;
  /**
   * Monotonic ms until which this is believed without asking the store: the news of a change is lost with who dies
   * before telling it. Over at once when something is heard.
   */
  believedUntilMs: number;
}

/** What tasks of one agent mostly have in common: one object for all of them. */
interface TaskTerms {
  readonly agent: string;
  readonly account: string;
  readonly authorities: readonly KnownAuthority[];
}

/** What a task was given for one resource; the record says by which delegation. */
export type KnownAuthority = Omit<TaskAuthority, 'delegationId'>;

/** Of how many agents, and what their tasks are given, the terms are kept to be shared. */
const rememberedTerms = 256;

/** The tasks that this process has to do with. */
export class KnownTasks {
  readonly #cells = new Map<string, TaskCell>();
  readonly #terms = createRecentMap<string, TaskTerms>(rememberedTerms);
  #heard = 0;

  /** Counts what was heard, so that a reading that began before a notice is not believed after it. */
  get heard(): number {
    return this.#heard;
  }

  get(taskId: string): TaskCell | undefined {
    return this.#cells.get(taskId);
  }

  /** The tasks that are active as far as this process knows. */
  *active(): Iterable<TaskCell> {
    for (const cell of this.#cells.values()) if (cell.status === 'active') yield cell;
  }

  /** Something happened to a task elsewhere. */
  distrust(taskId: string): void {
    this.#heard += 1;
    const cell = this.#cells.get(taskId);
    if (cell !== undefined) cell.believedUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** News may have been missed: about any task. */
  distrustAll(): void {
    this.#heard += 1;
    for (const cell of this.#cells.values()) cell.believedUntilMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Takes in a task as it was read or written. `heard` is how much had been heard when that began: what was heard since
   * may be about this task.
   */
  learn(
    { version, value: record }: Pick<Versioned<TaskRecord>, 'version' | 'value'>,
    { heard, believedUntilMs }: { readonly heard: number; readonly believedUntilMs: number },
  ): TaskCell {
    const { id, status, pause } = record;
    const found = {
      version,
      status,
      pause,
      deadlineAt: deadlineOf(record),
      believedUntilMs: heard === this.#heard ? believedUntilMs : Number.NEGATIVE_INFINITY,
    };
    let cell = this.#cells.get(id);
    if (cell === undefined) cell = this.#newCell(record, found);
    else if (version >= cell.version) Object.assign(cell, found);
    // An ended task cannot change: nothing has to be heard about it any more.
    if (hasEnded(status)) this.#cells.delete(id);
    else this.#cells.set(id, cell);
    return cell;
  }

  #newCell(
    record: TaskRecord,
    found: Omit<TaskCell, keyof TaskIdentity | keyof TaskTerms>,
  ): TaskCell {
    const { id, principal, subject } = record;
    const { agent, account, authorities } = this.#termsOf(record);
    // Field by field: what is spread gets a larger object.
    return {
      id,
      principal,
      subject,
      agent,
      account,
      authorities,
      version: found.version,
      status: found.status,
      pause: found.pause,
      deadlineAt: found.deadlineAt,
      believedUntilMs: found.believedUntilMs,
    };
  }

  #termsOf({ agent, account, authorities }: TaskRecord): TaskTerms {
    const given = authorities.map(({ delegationId: _own, ...authority }) => authority);
    const terms = { agent, account, authorities: given };
    const name = JSON.stringify(terms);
    const known = this.#terms.get(name);
    if (known !== undefined) return known;
    this.#terms.set(name, terms);
    return terms;
  }
}

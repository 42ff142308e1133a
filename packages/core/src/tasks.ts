import { taskStream } from './audit.ts';
import type { AuditEvent } from './audit-event.ts';
import { delegationKey } from './delegation.ts';
import { type DelegationEnd, endDelegations } from './delegations.ts';
import { AuthError } from './errors.ts';
import type { Pause } from './pause-record.ts';
import { recordKey } from './record-key.ts';
import type { Versioned } from './records.ts';
import { type Runtime, stamped } from './runtime.ts';
import { applied, deadlineOf, type TaskRecord, taskIndex } from './task-record.ts';
import { hasEnded, type TaskEvent } from './task-state.ts';

/** What this process knows about a task, readable without I/O. */
export interface TaskCell {
  current: Versioned<TaskRecord>;
  /** Something happened elsewhere: ask the store before believing this. */
  stale: boolean;
  /** Monotonic ms until which this is believed without asking: the news of a change is lost with who dies before telling it. */
  believedUntilMs: number;
  /** Epoch ms at which it runs out of time, as `current` says. */
  deadlineAt: number;
}

/** How a task ended, and what of its authority outlives it. */
export interface TaskEnd {
  readonly status: TaskRecord['status'];
  readonly delegations: readonly DelegationEnd[];
  /** Epoch ms until which a token that cannot be revoked may still work; absent when nothing does. */
  readonly authorityEndsAt?: number;
}

const endEvents = {
  complete: 'task-completed',
  cancel: 'task-cancelled',
  fail: 'task-failed',
  expire: 'task-expired',
} as const;

/** The tasks this process has to do with: reads them, moves them on by compare-and-swap, tells other processes. */
export class Tasks {
  readonly #runtime: Runtime;
  readonly #cells = new Map<string, TaskCell>();
  /** Counts what was heard, so that a reading that began before a notice is not believed after it. */
  #heard = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Hears from the stop feed that a task changed elsewhere. */
  distrust(taskId: string): void {
    this.#heard += 1;
    const cell = this.#cells.get(taskId);
    if (cell !== undefined) cell.stale = true;
  }

  /** News may have been missed: about any task. */
  distrustAll(): void {
    this.#heard += 1;
    for (const cell of this.#cells.values()) cell.stale = true;
  }

  /** The tasks that are active as far as this process knows. */
  active(): TaskRecord[] {
    return [...this.#cells.values()]
      .map((cell) => cell.current.value)
      .filter((record) => record.status === 'active');
  }

  /** Reads again what this process knows of active tasks and will soon not believe any more. */
  async refresh(): Promise<void> {
    const { clock, policy } = this.#runtime;
    const soonMs = clock.monotonicMs() + policy.revalidateMs / 2;
    for (const { id } of this.active()) {
      const cell = this.#cells.get(id);
      if (cell?.stale === true || (cell?.believedUntilMs ?? Infinity) <= soonMs)
        await this.read(id);
    }
  }

  async create(record: TaskRecord): Promise<TaskCell> {
    await this.#runtime.feed.ensureFresh();
    const heard = this.#heard;
    const key = taskKey(record.id);
    if (!(await this.#runtime.records.swap(key, 0, record, taskIndex(record))))
      throw new Error(`task ${record.id}: the id is taken`);
    return this.#know({ version: 1, value: record, index: taskIndex(record) }, heard);
  }

  /** The cell of a task, read from the store if this process has not met it or must not believe what it knows. */
  async load(taskId: string): Promise<TaskCell | undefined> {
    await this.#runtime.feed.ensureFresh();
    const known = this.#cells.get(taskId);
    const isBelieved =
      known?.stale === false && this.#runtime.clock.monotonicMs() < known.believedUntilMs;
    return isBelieved ? known : this.read(taskId);
  }

  /** The task as the store has it now. */
  async read(taskId: string): Promise<TaskCell | undefined> {
    const { feed, records } = this.#runtime;
    // The feed first: whatever happens to the task after the reading is then heard.
    await feed.ensureFresh();
    for (;;) {
      const heard = this.#heard;
      const read = await records.get<TaskRecord>(taskKey(taskId));
      if (read === undefined) return undefined;
      if (heard === this.#heard) return this.#know(read, heard);
    }
  }

  /**
   * Moves a task on. Answers the record after the move, or as it stands when the event cannot happen (any more);
   * `moved` tells which.
   */
  async move(
    taskId: string,
    event: TaskEvent,
    change: {
      /** The pause to wait for, made for the record as it then stands. */
      readonly pause?: (record: TaskRecord) => Promise<Pause>;
      readonly endReason?: string;
      /** What must hold of the record as it then stands: what the caller knows may be older. */
      readonly only?: (record: TaskRecord) => boolean;
    } = {},
  ): Promise<{ readonly moved: boolean; readonly record: TaskRecord }> {
    const { records, clock, feed } = this.#runtime;
    const key = taskKey(taskId);
    const { pause, endReason, only = () => true } = change;
    for (;;) {
      const heard = this.#heard;
      const current = await records.get<TaskRecord>(key);
      if (current === undefined) throw new AuthError('task_ended', { detail: `no task ${taskId}` });
      const next = only(current.value)
        ? applied(current.value, event, {
            now: clock.now(),
            ...(pause === undefined ? {} : { pause: await pause(current.value) }),
            ...(endReason === undefined ? {} : { endReason }),
          })
        : undefined;
      if (next === undefined) {
        this.#know(current, heard);
        return { moved: false, record: current.value };
      }
      const index = taskIndex(next);
      if (!(await this.#swapLanded(key, current.version, next))) continue;
      this.#know({ version: current.version + 1, value: next, index }, heard);
      await feed.publish({ kind: 'task', id: taskId });
      return { moved: true, record: next };
    }
  }

  /** Ends a task and the authority that was made for it. Ending it again answers how it ended. */
  async end(
    taskId: string,
    event: keyof typeof endEvents,
    reason?: string,
    by?: string,
    only: (record: TaskRecord) => boolean = () => true,
  ): Promise<TaskEnd> {
    const change = { only, ...(reason === undefined ? {} : { endReason: reason }) };
    const { moved, record } = await this.move(taskId, event, change);
    if (moved)
      this.audit(record, {
        type: endEvents[event],
        ...(reason === undefined ? {} : { reason }),
        ...(by === undefined ? {} : { by }),
      });
    if (record.endedAt === undefined) return { status: record.status, delegations: [] };
    return this.endAuthority(record);
  }

  /** Ends what an ended task was given. Safe to call again: a process may have died half way. */
  async endAuthority(record: TaskRecord): Promise<TaskEnd> {
    const delegations = await endDelegations(this.#runtime, this, record);
    const { records } = this.#runtime;
    const key = taskKey(record.id);
    const current = await records.get<TaskRecord>(key);
    if (current !== undefined && current.value.authorityEnded !== true) {
      const next = { ...current.value, authorityEnded: true };
      // Lost to another process that does the same: then it is done.
      await records.swap(key, current.version, next, taskIndex(next));
    }
    const ends = delegations.flatMap((delegation) => delegation.authorityEndsAt ?? []);
    return {
      status: record.status,
      delegations,
      ...(ends.length === 0 ? {} : { authorityEndsAt: Math.max(...ends) }),
    };
  }

  /** Notes that the pause a task waits for has a record of its own: nobody has to write it for a process that died. */
  async pauseIsRecorded(taskId: string, pauseId: string): Promise<void> {
    const { records } = this.#runtime;
    const key = taskKey(taskId);
    const found = await records.get<TaskRecord>(key);
    if (found?.value.pause?.id !== pauseId) return;
    const next = { ...found.value, pauseRecorded: true };
    // Lost to a change of the task: then it is no longer due for this, or will be looked at again.
    await records.swap(key, found.version, next, taskIndex(next));
  }

  /** Ends a task that has run out of time. Answers whether it had. */
  async expireIfDue(record: TaskRecord): Promise<boolean> {
    const { clock } = this.#runtime;
    const isDue = (current: TaskRecord): boolean => clock.now() >= deadlineOf(current);
    if (!isDue(record)) return false;
    const { status } = await this.end(
      record.id,
      'expire',
      'the task ran out of time',
      undefined,
      // Paused meanwhile, its time stands still.
      isDue,
    );
    return hasEnded(status);
  }

  /** Records what happened to a task, in its own stream. */
  audit(record: TaskRecord, event: Omit<AuditEvent, 'at' | 'process' | 'taskId'>): void {
    this.#runtime.audit.record(
      taskStream(record.id),
      stamped(this.#runtime, {
        ...event,
        taskId: record.id,
        principal: record.subject,
        agent: record.agent,
      }),
    );
  }

  /** After an error the record tells: the next version is ours if it says what we wrote. */
  async #swapLanded(key: string, version: number, next: TaskRecord): Promise<boolean> {
    const { records } = this.#runtime;
    try {
      return await records.swap(key, version, next, taskIndex(next));
    } catch (error) {
      const found = await records.get<TaskRecord>(key);
      if (found?.version === version) throw error;
      return (
        found?.version === version + 1 &&
        found.value.status === next.status &&
        found.value.pause?.id === next.pause?.id &&
        found.value.activeSince === next.activeSince
      );
    }
  }

  #forget({ id, authorities }: TaskRecord): void {
    this.#cells.delete(id);
    for (const { delegationId } of authorities)
      this.#runtime.grants.forget(delegationKey(delegationId));
  }

  /** `heard` is how much had been heard when the reading began: what was heard since may be about this task. */
  #know(current: Versioned<TaskRecord>, heard: number): TaskCell {
    const { clock, policy } = this.#runtime;
    const { id } = current.value;
    const cell = this.#cells.get(id);
    const known = cell ?? { current, stale: false, believedUntilMs: 0, deadlineAt: 0 };
    if (current.version >= known.current.version) {
      known.current = current;
      known.stale = heard !== this.#heard;
      known.believedUntilMs = clock.monotonicMs() + policy.revalidateMs;
      known.deadlineAt = deadlineOf(current.value);
    }
    // An ended task cannot change: nothing has to be heard about it any more.
    if (hasEnded(current.value.status)) this.#forget(current.value);
    else this.#cells.set(id, known);
    return known;
  }
}

/** Task ids are random: they need no tenant to be unique, and a pause finds its task by id alone. */
export function taskKey(taskId: string): string {
  return recordKey('task', undefined, taskId);
}

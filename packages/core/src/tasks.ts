import type { AuditEvent } from './audit-event.ts';
import { taskStream } from './audit-streams.ts';
import { delegationKey } from './delegation.ts';
import { type DelegationEnd, endDelegations } from './delegations.ts';
import { AuthError } from './errors.ts';
import { KnownTasks, type TaskCell } from './known-tasks.ts';
import type { Pause } from './pause-record.ts';
import { recordKey } from './record-key.ts';
import { type Runtime, stamped } from './runtime.ts';
import {
  applied,
  deadlineOf,
  type TaskIdentity,
  type TaskRecord,
  taskIndex,
} from './task-record.ts';
import { hasEnded, type TaskEvent } from './task-state.ts';

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
  readonly #known = new KnownTasks();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Hears from the stop feed that a task changed elsewhere. */
  distrust(taskId: string): void {
    this.#known.distrust(taskId);
  }

  /** News may have been missed: about any task. */
  distrustAll(): void {
    this.#known.distrustAll();
  }

  /** The tasks that are active as far as this process knows. */
  active(): Iterable<TaskCell> {
    return this.#known.active();
  }

  /** Reads again what this process knows of active tasks and will soon not believe any more. */
  async refresh(): Promise<void> {
    const { clock, policy } = this.#runtime;
    const soonMs = clock.monotonicMs() + policy.revalidateMs / 2;
    for (const { id, believedUntilMs } of this.active())
      if (believedUntilMs <= soonMs) await this.read(id);
  }

  async create(record: TaskRecord): Promise<TaskCell> {
    await this.#runtime.feed.ensureFresh();
    const { heard } = this.#known;
    const key = taskKey(record.id);
    if (!(await this.#runtime.records.swap(key, 0, record, taskIndex(record))))
      throw new Error(`task ${record.id}: the id is taken`);
    return this.#learn(1, record, heard);
  }

  /** The cell of a task, read from the store if this process has not met it or must not believe what it knows. */
  async load(taskId: string): Promise<TaskCell | undefined> {
    await this.#runtime.feed.ensureFresh();
    const known = this.#known.get(taskId);
    if (known !== undefined && this.#runtime.clock.monotonicMs() < known.believedUntilMs)
      return known;
    return (await this.#read(taskId))?.cell;
  }

  /** The task as the store has it now; its cell knows it, too. */
  async read(taskId: string): Promise<TaskRecord | undefined> {
    return (await this.#read(taskId))?.record;
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
      const { heard } = this.#known;
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
        this.#learn(current.version, current.value, heard);
        return { moved: false, record: current.value };
      }
      if (!(await this.#swapLanded(key, current.version, next))) continue;
      this.#learn(current.version + 1, next, heard);
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
  async expireIfDue({ id, deadlineAt }: Pick<TaskCell, 'id' | 'deadlineAt'>): Promise<boolean> {
    const { clock } = this.#runtime;
    if (clock.now() < deadlineAt) return false;
    const { status } = await this.end(
      id,
      'expire',
      'the task ran out of time',
      undefined,
      // Paused meanwhile, its time stands still.
      (current) => clock.now() >= deadlineOf(current),
    );
    return hasEnded(status);
  }

  /** Records what happened to a task, in its own stream. */
  audit(task: TaskIdentity, event: Omit<AuditEvent, 'at' | 'process' | 'taskId'>): void {
    this.#runtime.audit.record(
      taskStream(task.id),
      stamped(this.#runtime, {
        ...event,
        taskId: task.id,
        principal: task.subject,
        agent: task.agent,
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

  async #read(
    taskId: string,
  ): Promise<{ readonly record: TaskRecord; readonly cell: TaskCell } | undefined> {
    const { feed, records } = this.#runtime;
    // The feed first: whatever happens to the task after the reading is then heard.
    await feed.ensureFresh();
    for (;;) {
      const { heard } = this.#known;
      const read = await records.get<TaskRecord>(taskKey(taskId));
      if (read === undefined) return undefined;
      const { version, value: record } = read;
      if (heard === this.#known.heard) return { record, cell: this.#learn(version, record, heard) };
    }
  }

  #learn(version: number, record: TaskRecord, heard: number): TaskCell {
    const { clock, policy, grants } = this.#runtime;
    const believedUntilMs = clock.monotonicMs() + policy.revalidateMs;
    const cell = this.#known.learn({ version, value: record }, { heard, believedUntilMs });
    if (hasEnded(record.status))
      for (const { delegationId } of record.authorities) grants.forget(delegationKey(delegationId));
    return cell;
  }
}

/** Task ids are random: they need no tenant to be unique, and a pause finds its task by id alone. */
export function taskKey(taskId: string): string {
  return recordKey('task', undefined, taskId);
}

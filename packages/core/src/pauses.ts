import { ConfigurationError } from './errors.ts';
import type { Ledger } from './ledger.ts';
import type { Pause, PauseReason } from './pause-record.ts';
import { randomId } from './random-id.ts';
import { recordKey } from './record-key.ts';
import type { Versioned } from './records.ts';
import type { Runtime } from './runtime.ts';
import type { RecordIndex } from './store.ts';
import type { TaskRecord } from './task-record.ts';
import type { Tasks } from './tasks.ts';

/** What deciding and resuming work with. */
export interface PauseContext {
  readonly runtime: Runtime;
  readonly tasks: Tasks;
  readonly pauses: Pauses;
  readonly ledger: Ledger;
}

/** Pauses: durable records that a task waits, why, and for whom. */
export class Pauses {
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;

  constructor(runtime: Runtime, tasks: Tasks) {
    this.#runtime = runtime;
    this.#tasks = tasks;
  }

  /**
   * Pauses a task. A task that is paused already stays so, and the pause it waits for is answered; a task that
   * has ended answers `undefined`.
   */
  async open(
    task: TaskRecord,
    reason: PauseReason,
    call: (Pause['call'] & { readonly runId: string }) | undefined,
  ): Promise<Pause | undefined> {
    const { clock, policy, keyedHash } = this.#runtime;
    const now = clock.now();
    const requires = policy.escalate({ reason, effect: call?.effect });
    const place = [task.id, call?.runId ?? randomId(), call?.toolCallId ?? '', task.attempt];
    const { runId: _run, ...shownCall } = call ?? { runId: '' };
    const decided = requires.length === 0;
    const pause: Pause = {
      id: `${task.id}.${await keyedHash.hash('match', JSON.stringify(place))}`,
      taskId: task.id,
      reason,
      ...(call === undefined ? {} : { call: shownCall as Pause['call'] & object }),
      status: decided ? 'decided' : 'open',
      requires,
      confirmedBy: [],
      openedAt: now,
      expiresAt: now + policy.pauseExpiresMs,
      ...(decided ? { decision: { decision: 'resume', by: [], at: now } } : {}),
    };
    const { moved, record } = await this.#tasks.move(task.id, 'pause', { pause });
    if (!moved) return record.pause;
    await this.write(pause, 0);
    this.#tasks.audit(record, {
      type: 'task-paused',
      pauseId: pause.id,
      code: reason.code,
      ...(requires.length === 0 ? {} : { outcome: requires.join(', ') }),
      ...(reason.reason === undefined ? {} : { reason: reason.reason }),
      ...(call === undefined
        ? {}
        : {
            toolCallId: call.toolCallId,
            toolName: call.toolName,
            resource: call.resource,
            effect: call.effect,
          }),
    });
    return pause;
  }

  /** The pause as stored; one that its task names but whose record was never written is written now. */
  async get(pauseId: string): Promise<Versioned<Pause> | undefined> {
    const { records } = this.#runtime;
    const key = pauseKey(pauseId);
    const found = await records.get<Pause>(key);
    if (found !== undefined) return found;
    const task = await this.#tasks.read(pauseId.split('.')[0] ?? '');
    const pause = task?.current.value.pause;
    if (pause?.id !== pauseId) return undefined;
    await this.write(pause, 0);
    return records.get<Pause>(key);
  }

  /** Gives up a pause that nobody decided in time, and its task with it. */
  async expire(pauseId: string): Promise<void> {
    const { clock } = this.#runtime;
    const found = await this.get(pauseId);
    if (found === undefined || (found.value.expiresAt ?? Infinity) > clock.now()) return;
    if (found.value.status !== 'open' && found.value.status !== 'decided') return;
    const next: Pause = { ...found.value, status: 'expired' };
    if (!(await this.write(next, found.version))) return;
    const task = await this.taskOf(next);
    this.#tasks.audit(task, { type: 'pause-expired', pauseId });
    await this.#tasks.end(task.id, 'expire', 'nobody decided in time');
  }

  /**
   * The pauses that people have to decide or a process has to resume. The tasks name them: also one whose record
   * was not written yet when its process died, and one that a process claimed and left.
   */
  async *waiting(): AsyncIterable<Pause> {
    const { records } = this.#runtime;
    for await (const { key } of records.list({ kind: 'task', status: 'paused' })) {
      const task = await records.get<TaskRecord>(key);
      const named = task?.value.pause;
      const found = named === undefined ? undefined : await this.get(named.id);
      if (found !== undefined && waitsFor(found.value)) yield found.value;
    }
  }

  /** Writes a pause over the version it was read at; 0 creates it, unless whoever saw its task first has done so. */
  write(pause: Pause, version: number): Promise<boolean> {
    return this.#runtime.records.swap(pauseKey(pause.id), version, pause, pauseIndex(pause));
  }

  /** @throws {ConfigurationError} when there is no such pause. */
  async existing(pauseId: string): Promise<Versioned<Pause>> {
    const found = await this.get(pauseId);
    if (found === undefined)
      throw new ConfigurationError(
        `pauseId: expected the id of a pause in this store; got "${pauseId.slice(0, 80)}"`,
        ['pauseId'],
      );
    return found;
  }

  /** The task that waits for a pause, as the store has it now: the pause may be newer than what was heard. */
  async taskOf(pause: Pause): Promise<TaskRecord> {
    const cell = await this.#tasks.read(pause.taskId);
    if (cell === undefined) throw new Error(`pause ${pause.id}: its task is not in this store`);
    return cell.current.value;
  }
}

function waitsFor({ status }: Pause): boolean {
  return status === 'open' || status === 'decided' || status === 'claimed';
}

function pauseIndex(pause: Pause): RecordIndex {
  const waits = pause.status === 'open' || pause.status === 'decided';
  return {
    kind: 'pause',
    status: pause.status,
    taskId: pause.taskId,
    ...(waits && pause.expiresAt !== undefined ? { dueAt: Math.ceil(pause.expiresAt) } : {}),
  };
}

function pauseKey(pauseId: string): string {
  return recordKey('pause', undefined, pauseId);
}

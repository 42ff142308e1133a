import { ConfigurationError } from './errors.ts';
import { stepsOf } from './escalation.ts';
import type { Ledger } from './ledger.ts';
import type { Pause, PauseReason, PauseStep } from './pause-record.ts';
import { firstStep, pauseDueAt } from './pause-steps.ts';
import { randomId } from './random-id.ts';
import { recordKey } from './record-key.ts';
import type { Versioned } from './records.ts';
import type { Runtime } from './runtime.ts';
import type { RecordIndex } from './store.ts';
import type { TaskIdentity, TaskRecord } from './task-record.ts';
import type { Tasks } from './tasks.ts';

/** What deciding and resuming work with. */
export interface PauseContext {
  readonly runtime: Runtime;
  readonly tasks: Tasks;
  readonly pauses: Pauses;
  readonly ledger: Ledger;
}

/** Tells people of a pause that has something to tell. Never throws, and is not waited for. */
export type TellPause = (pause: Pause) => void;

/** Who closes a pause ends its task; another process helps only after this time. */
const endingGraceMs = 5000;

/** The call that a task is paused for; none when the app pauses it. */
type PausedCall =
  | (Pause['call'] & {
      readonly runId: string;
      /** For the escalation policy alone. */
      readonly input?: unknown;
    })
  | undefined;

/** Pauses: durable records that a task waits, why, and for whom. */
export class Pauses {
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;
  readonly #tell: TellPause;

  constructor(runtime: Runtime, tasks: Tasks, tell: TellPause) {
    this.#runtime = runtime;
    this.#tasks = tasks;
    this.#tell = tell;
  }

  /**
   * Pauses a task. A task that is paused already stays so, and the pause it waits for is answered; a task that
   * has ended, or that nobody may let go on, answers `undefined`.
   */
  async open(
    task: TaskIdentity,
    reason: PauseReason,
    call: PausedCall,
  ): Promise<Pause | undefined> {
    const { steps, problem } = this.#ladderFor(task, reason, call);
    if (steps === 'fail') return this.#fail(task, reason);
    const { moved, record } = await this.#tasks.move(task.id, 'pause', {
      pause: (current) => this.#pauseOf(current, { reason, steps, call }),
    });
    const { pause } = record;
    if (!moved || pause === undefined) return pause;
    await this.write(pause, 0);
    const { requires } = pause;
    this.#tasks.audit(record, {
      type: 'task-paused',
      pauseId: pause.id,
      code: reason.code,
      ...(requires.length === 0 ? {} : { outcome: requires.join(', ') }),
      ...(reason.reason === undefined ? {} : { reason: reason.reason }),
      ...(call === undefined
        ? {}
        : {
            runId: call.runId,
            toolCallId: call.toolCallId,
            toolName: call.toolName,
            resource: call.resource,
            effect: call.effect,
          }),
    });
    if (problem !== undefined)
      this.#tasks.audit(record, {
        type: 'escalation-failed',
        pauseId: pause.id,
        reason: `the policy failed: ${problem}`,
      });
    this.#tell(pause);
    return pause;
  }

  /** Who must confirm. A policy that fails must not cost the pause: then who runs the app decides. */
  #ladderFor(
    task: TaskIdentity,
    reason: PauseReason,
    call: PausedCall,
  ): { readonly steps: readonly PauseStep[] | 'fail'; readonly problem?: string } {
    const { id, principal, agent } = task;
    try {
      return {
        steps: stepsOf(
          this.#runtime.policy.escalate({
            reason,
            effect: call?.effect,
            call,
            task: { id, principal, agent },
          }),
        ),
      };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      return { steps: [{ roles: ['operator'] }], problem };
    }
  }

  /** Nobody may let the task go on: it ends here, and with it what it was given. */
  async #fail(task: TaskIdentity, reason: PauseReason): Promise<undefined> {
    const why = reason.reason === undefined ? reason.code : `${reason.code}: ${reason.reason}`;
    await this.#tasks.end(task.id, 'fail', why, undefined, ({ status }) => status === 'active');
  }

  /**
   * A pause of the task as it stands. Its id is the same whoever makes it, and another one after a resumption: a
   * pause that was answered is never waited for again.
   */
  async #pauseOf(
    task: TaskRecord,
    {
      reason,
      steps,
      call,
    }: {
      readonly reason: PauseReason;
      readonly steps: readonly PauseStep[];
      readonly call: PausedCall;
    },
  ): Promise<Pause> {
    const { clock, policy, keyedHash, notifiers } = this.#runtime;
    const now = clock.now();
    const place = [task.id, call?.runId ?? randomId(), call?.toolCallId ?? '', task.attempt];
    const { runId: _run, input: _input, ...shownCall } = call ?? { runId: '' };
    const decided = steps.length === 0;
    const names = notifiers.map(({ name }) => name);
    return {
      id: `${task.id}.${await keyedHash.hash('match', JSON.stringify(place))}`,
      taskId: task.id,
      reason,
      ...(call === undefined ? {} : { call: shownCall as Pause['call'] & object }),
      status: decided ? 'decided' : 'open',
      ...firstStep(steps, names, now),
      confirmedBy: [],
      openedAt: now,
      expiresAt: now + policy.pauseExpiresMs,
      ...(decided ? { decision: { decision: 'resume', by: [], at: now } } : {}),
    };
  }

  /** The pause as stored; one that its task names but whose record was never written is written now. */
  async get(pauseId: string): Promise<Versioned<Pause> | undefined> {
    const { records } = this.#runtime;
    const key = pauseKey(pauseId);
    const found = await records.get<Pause>(key);
    if (found !== undefined) return found;
    const task = await this.#tasks.read(pauseId.split('.')[0] ?? '');
    const pause = task?.pause;
    if (pause?.id !== pauseId) return undefined;
    await this.write(pause, 0);
    return records.get<Pause>(key);
  }

  /** Ends the task of a pause that was closed. Safe to call again: whoever closed it may have died half way. */
  async endTaskOf(pause: Pause, version: number): Promise<void> {
    const [event, reason] =
      pause.status === 'cancelled'
        ? (['cancel', 'decided'] as const)
        : (['expire', 'nobody decided in time'] as const);
    const by = pause.decision?.by.at(-1)?.approver.id;
    const waitsForIt = (task: TaskRecord): boolean => task.pause?.id === pause.id;
    await this.#tasks.end(pause.taskId, event, reason, by, waitsForIt);
    await this.#runtime.records.swap(pauseKey(pause.id), version, pause, pauseIndex(pause));
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
    const { records, clock } = this.#runtime;
    // Until its task has ended a closed pause stays due, so that maintenance ends it if this process dies.
    const dueAt = isClosed(pause) ? clock.now() + endingGraceMs : pauseDueAt(pause);
    return records.swap(pauseKey(pause.id), version, pause, pauseIndex(pause, dueAt));
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
    const task = await this.#tasks.read(pause.taskId);
    if (task === undefined) throw new Error(`pause ${pause.id}: its task is not in this store`);
    return task;
  }
}

function waitsFor({ status }: Pause): boolean {
  return status === 'open' || status === 'decided' || status === 'claimed';
}

/** Whether a pause will never be resumed. */
export function isClosed({ status }: Pause): boolean {
  return status === 'cancelled' || status === 'expired';
}

function pauseIndex(pause: Pause, dueAt?: number): RecordIndex {
  const waits = pause.status === 'open' || pause.status === 'decided' || isClosed(pause);
  return {
    kind: 'pause',
    status: pause.status,
    taskId: pause.taskId,
    ...(waits && dueAt !== undefined && dueAt < Infinity ? { dueAt: Math.ceil(dueAt) } : {}),
  };
}

function pauseKey(pauseId: string): string {
  return recordKey('pause', undefined, pauseId);
}

import type { CallRecord } from './call-record.ts';
import { sleep } from './clock.ts';
import { ConfigurationError } from './errors.ts';
import type { GrantRecord } from './grant-record.ts';
import type { Ledger } from './ledger.ts';
import type { Approver, ApproverRole, Confirmation, Pause, PauseReason } from './pause-record.ts';
import { randomId } from './random-id.ts';
import { recordKey } from './record-key.ts';
import type { Versioned } from './records.ts';
import type { Runtime } from './runtime.ts';
import type { RecordIndex } from './store.ts';
import type { TaskRecord } from './task-record.ts';
import { hasEnded } from './task-state.ts';
import type { Tasks } from './tasks.ts';

/** What a person says about a pause. `by` is whatever the app's authorizer needs to find out who that is. */
export interface DecisionRequest {
  readonly decision: 'resume' | 'cancel';
  readonly by: string;
  readonly comment?: string;
  /** Calls with an unknown outcome that may run again, although they may have had their effect already. */
  readonly rerun?: readonly string[];
}

/** What became of a person's word. */
export type DecisionResult =
  /** The pause is decided; a process may resume or has been told that the task is cancelled. */
  | { readonly status: 'decided'; readonly pause: Pause }
  /** Noted; others must confirm too. */
  | { readonly status: 'waiting'; readonly pause: Pause; readonly missing: readonly ApproverRole[] }
  /** This person may not decide this. Nothing changed; it is in the audit log. */
  | { readonly status: 'refused'; readonly pause: Pause; readonly because: string }
  /** Somebody else was first. */
  | { readonly status: 'closed'; readonly pause: Pause };

/** What became of an attempt to resume. */
export type Resumption =
  | { readonly status: 'resumed'; readonly taskId: string }
  /** What the task waits for has not happened yet. Nothing was started. */
  | { readonly status: 'waiting'; readonly pause: Pause; readonly because: string }
  | { readonly status: 'ended'; readonly taskStatus: TaskRecord['status'] };

/** Pauses: durable records that a task waits, why, and for whom. */
export class Pauses {
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;
  readonly #ledger: Ledger;

  constructor(runtime: Runtime, tasks: Tasks, ledger: Ledger) {
    this.#runtime = runtime;
    this.#tasks = tasks;
    this.#ledger = ledger;
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
    await this.#ensureRecord(pause);
    this.#tasks.audit(record, {
      type: 'task-paused',
      pauseId: pause.id,
      code: reason.code,
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
    const task = await this.#tasks.load(pauseId.split('.')[0] ?? '');
    const pause = task?.current.value.pause;
    if (pause?.id !== pauseId) return undefined;
    await this.#ensureRecord(pause);
    return records.get<Pause>(key);
  }

  /**
   * Takes a person's word. Exactly one decision holds; it carries no authority itself: on resume the gate and the
   * grant are asked again.
   *
   * @throws {ConfigurationError} when there is no such pause, or no `policy.authorize` to say who decides.
   */
  async decide(pauseId: string, request: DecisionRequest): Promise<DecisionResult> {
    const { policy, clock, records } = this.#runtime;
    if (policy.authorize === undefined)
      throw new ConfigurationError(
        'policy.authorize: expected a function that says who decides; got nothing',
        ['policy.authorize'],
      );
    for (;;) {
      const { version, value: pause } = await this.#existing(pauseId);
      const task = await this.#taskOf(pause);
      if (pause.status !== 'open' || hasEnded(task.status)) return { status: 'closed', pause };
      const approver = await policy.authorize({ by: request.by, pause });
      const judged = judge(pause, task, approver, request);
      if ('because' in judged) {
        this.#tasks.audit(task, {
          type: 'decision-refused',
          pauseId,
          by: approver?.id ?? 'unknown',
          reason: judged.because,
        });
        return { status: 'refused', pause, because: judged.because };
      }
      const confirmation: Confirmation = { ...judged, at: clock.now() };
      const confirmedBy = [...pause.confirmedBy, confirmation];
      const missing = missingRoles({ ...pause, confirmedBy });
      const final = request.decision === 'cancel' || missing.length === 0;
      const rerun = [...(pause.decision?.rerun ?? []), ...(request.rerun ?? [])];
      const decision = {
        decision: request.decision,
        by: confirmedBy,
        at: clock.now(),
        ...(request.comment === undefined ? {} : { comment: request.comment }),
        ...(rerun.length === 0 ? {} : { rerun }),
      };
      const status = request.decision === 'cancel' ? 'cancelled' : final ? 'decided' : 'open';
      const next: Pause = { ...pause, confirmedBy, status, decision };
      if (!(await records.swap(pauseKey(pauseId), version, next, pauseIndex(next)))) continue;
      this.#tasks.audit(task, {
        type: 'decision-made',
        pauseId,
        by: confirmation.approver.id,
        outcome: request.decision,
        reason: `as ${confirmation.as}${final ? '' : `; still to confirm: ${missing.join(', ')}`}`,
      });
      if (request.decision === 'cancel')
        await this.#tasks.end(task.id, 'cancel', 'decided', confirmation.approver.id);
      return final
        ? { status: 'decided', pause: next }
        : { status: 'waiting', pause: next, missing };
    }
  }

  /**
   * Makes a decided task active again, once, whoever asks. The gate and the grants are asked first: while they
   * still say no, the task stays paused and may be resumed later.
   */
  async resume(pauseId: string): Promise<Resumption> {
    const { records, clock } = this.#runtime;
    const me = randomId();
    for (;;) {
      const { version, value: pause } = await this.#existing(pauseId);
      const task = await this.#taskOf(pause);
      if (hasEnded(task.status)) return { status: 'ended', taskStatus: task.status };
      switch (pause.status) {
        case 'open':
          return {
            status: 'waiting',
            pause,
            because: `waits for ${missingRoles(pause).join(', ')}`,
          };
        case 'cancelled':
        case 'expired':
          return { status: 'ended', taskStatus: task.status };
        case 'consumed':
          return this.#standing(task, pause);
        case 'claimed':
          if (!(await this.#standsStill(pauseId, version))) continue;
          break;
        case 'decided': {
          const obstacle = await this.#obstacle(task);
          if (obstacle !== undefined) return { status: 'waiting', pause, because: obstacle };
          break;
        }
      }
      const claimed: Pause = { ...pause, status: 'claimed', claim: { id: me, at: clock.now() } };
      if (!(await records.swap(pauseKey(pauseId), version, claimed, pauseIndex(claimed)))) continue;
      this.#tasks.audit(task, { type: 'pause-claimed', pauseId });
      return this.#consume(claimed, version + 1, task);
    }
  }

  /** Gives up a pause that nobody decided in time, and its task with it. */
  async expire(pauseId: string): Promise<void> {
    const { records, clock } = this.#runtime;
    const found = await this.get(pauseId);
    if (found === undefined || (found.value.expiresAt ?? Infinity) > clock.now()) return;
    if (found.value.status !== 'open' && found.value.status !== 'decided') return;
    const next: Pause = { ...found.value, status: 'expired' };
    if (!(await records.swap(pauseKey(pauseId), found.version, next, pauseIndex(next)))) return;
    const task = await this.#taskOf(next);
    this.#tasks.audit(task, { type: 'pause-expired', pauseId });
    await this.#tasks.end(task.id, 'expire', 'nobody decided in time');
  }

  /** Open and decided pauses, for a list that people work through. */
  async *waiting(): AsyncIterable<Pause> {
    for (const status of ['open', 'decided'] as const)
      for await (const { key } of this.#runtime.records.list({ kind: 'pause', status })) {
        const found = await this.#runtime.records.get<Pause>(key);
        if (found !== undefined) yield found.value;
      }
  }

  async #consume(pause: Pause, version: number, task: TaskRecord): Promise<Resumption> {
    const { records } = this.#runtime;
    if (task.pause?.id === pause.id) {
      await this.#allowReruns(task, pause);
      const { moved, record } = await this.#tasks.move(task.id, 'resume');
      if (moved) this.#tasks.audit(record, { type: 'task-resumed', pauseId: pause.id });
    }
    const consumed: Pause = { ...pause, status: 'consumed' };
    await records.swap(pauseKey(pause.id), version, consumed, pauseIndex(consumed));
    const after = await this.#tasks.load(task.id);
    return this.#standing(after?.current.value ?? task, consumed);
  }

  #standing(task: TaskRecord, pause: Pause): Resumption {
    if (task.status === 'active') return { status: 'resumed', taskId: task.id };
    if (task.status === 'paused')
      return {
        status: 'waiting',
        pause: task.pause ?? pause,
        because: 'the task was paused again',
      };
    return { status: 'ended', taskStatus: task.status };
  }

  /** Why the task may not go on yet, asked of the gate and of each grant. */
  async #obstacle(task: TaskRecord): Promise<string | undefined> {
    const { userStates, grants, records } = this.#runtime;
    const verdict = await userStates.check(task.principal, task.subject, 'resume');
    if (verdict.state !== 'active') return `${verdict.source} says ${verdict.state}`;
    for (const { provider } of task.authorities) {
      const key = await grants.key({ provider, principal: task.principal, account: task.account });
      const grant = await records.get<GrantRecord>(key);
      if (grant === undefined || grant.value.state.status === 'dead')
        return `the connection to ${provider} must be authorized again`;
    }
    return undefined;
  }

  /** Only a person's word makes a call with an unknown outcome runnable again. */
  async #allowReruns(task: TaskRecord, pause: Pause): Promise<void> {
    const rerun = new Set(pause.decision?.rerun);
    if (rerun.size === 0) return;
    for await (const { key } of this.#runtime.records.list({
      kind: 'call',
      status: 'unknown',
      taskId: task.id,
    })) {
      const found = await this.#runtime.records.get<CallRecord>(key);
      if (found === undefined || !rerun.has(found.value.toolCallId)) continue;
      const { runId, toolCallId } = found.value;
      await this.#ledger.change({ task, runId, toolCallId }, (current) =>
        current?.status === 'unknown' ? { ...current, status: 'refused' } : undefined,
      );
    }
  }

  /** Whether somebody's claim stayed as it is for the whole wait on this process's clock. */
  async #standsStill(pauseId: string, version: number): Promise<boolean> {
    const { clock, policy } = this.#runtime;
    const untilMs = clock.monotonicMs() + policy.claimWaitMs;
    while (clock.monotonicMs() < untilMs) {
      await sleep(clock, Math.min(100, policy.claimWaitMs));
      if ((await this.#existing(pauseId)).version !== version) return false;
    }
    return true;
  }

  async #ensureRecord(pause: Pause): Promise<void> {
    // False means that it is there already, written by whoever saw the task first.
    await this.#runtime.records.swap(pauseKey(pause.id), 0, pause, pauseIndex(pause));
  }

  async #existing(pauseId: string): Promise<Versioned<Pause>> {
    const found = await this.get(pauseId);
    if (found === undefined)
      throw new ConfigurationError(
        `pauseId: expected the id of a pause in this store; got "${pauseId.slice(0, 80)}"`,
        ['pauseId'],
      );
    return found;
  }

  async #taskOf(pause: Pause): Promise<TaskRecord> {
    const cell = await this.#tasks.load(pause.taskId);
    if (cell === undefined) throw new Error(`pause ${pause.id}: its task is not in this store`);
    return cell.current.value;
  }
}

/** Whether this person may say this, and in which role. */
function judge(
  pause: Pause,
  task: TaskRecord,
  approver: Approver | undefined,
  request: DecisionRequest,
): { readonly approver: Approver; readonly as: ApproverRole } | { readonly because: string } {
  if (approver === undefined) return { because: 'the authorizer does not know this person' };
  if (approver.id === task.agent) return { because: 'an agent does not decide about itself' };
  const stopped = pause.reason.code === 'user_state';
  if (stopped && approver.id === task.principal.subject)
    return { because: 'a person who was stopped does not decide about it' };
  if (pause.confirmedBy.some((earlier) => earlier.approver.id === approver.id))
    return { because: 'this person has confirmed already' };
  const missing = missingRoles(pause);
  // Anyone who could confirm may also say no.
  const as = missing.find((role) => approver.roles.includes(role));
  if (as !== undefined) return { approver, as };
  const asked = pause.requires.find((role) => approver.roles.includes(role));
  if (request.decision === 'cancel' && asked !== undefined) return { approver, as: asked };
  return { because: `none of the roles asked for: ${missing.join(', ')}` };
}

function missingRoles(pause: Pause): ApproverRole[] {
  const missing = [...pause.requires];
  for (const { as } of pause.confirmedBy) {
    const at = missing.indexOf(as);
    if (at >= 0) missing.splice(at, 1);
  }
  return missing;
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

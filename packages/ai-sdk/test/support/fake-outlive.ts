import {
  type AgentRun,
  AuthError,
  type GuardedCall,
  type LedgerEntry,
  type Outlive,
  type Pause,
  resourceName,
  type Task,
} from '@outlive/core';

type Invocation = Parameters<AgentRun['call']>[0];

/** An in-memory stand-in for the runtime: which tools have authority is a set that tests change. */
export class FakeOutlive {
  /** Names of tools whose calls are refused. */
  readonly refused = new Set<string>();
  /** Calls that reached the protected API. */
  readonly served: string[] = [];
  state: 'active' | 'cancelled' | 'expired' = 'active';
  /** Whether the store has been asked for admission first, as for writes. */
  asynchronousAdmission = false;
  readonly pauses = new Map<string, Pause>();
  readonly #reserved = new Map<string, string>();
  #runs = 0;

  readonly task: Task = {
    id: 'task-1',
    principal: { subject: 'alice' },
    startRun: () => this.#run(`run-${++this.#runs}`, []),
    resumeRun: async ({ runId, toolCallIds }) => {
      for (const id of toolCallIds) {
        if (this.#reserved.get(id) !== runId) throw new AuthError('not_resumable');
        this.#reserved.delete(id);
      }
      return this.#run(runId, toolCallIds);
    },
  } as Task;

  readonly resume: Outlive['resume'] = async () => {
    if (this.state !== 'active') return { status: 'ended', state: this.state } as never;
    const waiting = [...this.pauses.values()].find(({ status }) => status === 'open');
    if (waiting) return { status: 'waiting', pause: waiting };
    this.pauses.clear();
    return { status: 'resumed', task: this.task };
  };

  /** A person decides that everything that waits may go on. */
  decide(): void {
    for (const [id, pause] of this.pauses) this.pauses.set(id, { ...pause, status: 'decided' });
  }

  get paused(): boolean {
    return this.pauses.size > 0;
  }

  #run(id: string, toolCallIds: readonly string[]): AgentRun {
    const refusals: { toolCallId: string; toolName: string; error: AuthError }[] = [];
    const ledger: LedgerEntry[] = [];
    const outlive = this;
    const run: AgentRun = {
      id,
      task: this.task,
      get halted() {
        return refusals.length > 0 || outlive.paused || outlive.state !== 'active';
      },
      call: (invocation) => this.#call(run, invocation, refusals, ledger),
      refusals,
      resumableCalls: new Set(toolCallIds),
      ledger,
      finish: async () => {
        if (this.state !== 'active') return { status: this.state };
        const pause = [...this.pauses.values()][0];
        return pause ? { status: 'paused', pause } : { status: 'completed' };
      },
    };
    return run;
  }

  #call(
    run: AgentRun,
    { requirement, toolName, toolCallId }: Invocation,
    refusals: { toolCallId: string; toolName: string; error: AuthError }[],
    ledger: LedgerEntry[],
  ): GuardedCall {
    const resource = resourceName(requirement);
    let refusal: AuthError | undefined;
    const refuse = (): AuthError => {
      if (refusal) return refusal;
      const pauseId = `pause-${toolCallId}`;
      refusal = new AuthError('reauthorization_required', {
        ref: pauseId,
        detail: 'SECRET-DETAIL',
      });
      const call = { toolCallId, toolName, resource, scopes: requirement.scopes };
      this.pauses.set(pauseId, {
        id: pauseId,
        taskId: this.task.id,
        reason: { code: refusal.code, recovery: refusal.recovery },
        call: { ...call, effect: requirement.effect },
        status: 'open',
        requires: ['user'],
        confirmedBy: [],
        openedAt: 0,
      });
      this.#reserved.set(toolCallId, run.id);
      refusals.push({ toolCallId, toolName, error: refusal });
      ledger.push({ ...call, effect: requirement.effect, outcome: 'refused', code: refusal.code });
      return refusal;
    };
    const admission = this.state === 'active' ? undefined : new AuthError('task_ended');
    return {
      principal: {
        subject: 'alice',
        tenant: undefined,
        taskId: this.task.id,
        resource,
        idempotencyKey: toolCallId,
        fetch: async () => {
          if (this.refused.has(toolName)) throw refuse();
          this.served.push(`${toolName}:${toolCallId}`);
          return Response.json({ from: toolName });
        },
      },
      admission: this.asynchronousAdmission ? Promise.resolve(admission) : admission,
      settle: async ({ ok }) => {
        if (refusal) return refusal;
        if (ok)
          ledger.push({
            toolCallId,
            toolName,
            resource,
            scopes: requirement.scopes,
            effect: requirement.effect,
            outcome: 'done',
          });
        return undefined;
      },
    };
  }
}

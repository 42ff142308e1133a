import { AgentRun, type RunContext } from './agent-run.ts';
import type { CallRecord, StoredCall } from './call-record.ts';
import { AuthError } from './errors.ts';
import type { AccessTokenSlot } from './grant-record.ts';
import type { CallReference } from './ledger.ts';
import type { Pause } from './pause-record.ts';
import type { Principal } from './principal.ts';
import { randomId } from './random-id.ts';
import type { Requirement } from './requirement.ts';
import { type ResumePause, type Resumption, resumePause } from './resume-pause.ts';
import { deadlineOf } from './task-record.ts';
import type { TaskStatus } from './task-state.ts';
import type { TaskEnd } from './tasks.ts';
import type { TokenRequest } from './token-source.ts';

/** Which paused run goes on, and with which of its calls. */
export interface ResumeRun {
  readonly runId: string;
  readonly toolCallIds: readonly string[];
  /** Calls that a person does not want to run: they are never run again. */
  readonly decline?: readonly string[];
  /**
   * Take over calls that another process had begun to resume, because it is known to be gone. What it may have
   * done already is not done again: such calls wait for a person.
   */
  readonly takeOver?: boolean;
  /** The pause the run waited for. A run with no call to reserve goes on from it once. */
  readonly pauseId?: string;
}

/** How a run is started. */
export interface StartRun {
  /**
   * Names the run, where a framework keeps its conversation and finds it again by a name. Tool call ids are unique
   * within it. Default: a random one.
   */
  readonly runId?: string;
}

/** One agent task: what an app holds. Durable: the same task in every process that loads it. */
export class Task {
  readonly id: string;
  readonly principal: Principal;
  readonly agent: string;
  readonly #context: RunContext;
  /** The promise of the last answer: callers of one token share it. */
  #answered: { token: AccessTokenSlot; promise: Promise<AccessTokenSlot> } | undefined;

  /** @internal */
  constructor(context: RunContext) {
    const { value: record } = context.cell.current;
    this.id = record.id;
    this.principal = record.principal;
    this.agent = record.agent;
    this.#context = context;
  }

  /** The state as this process last knew it. */
  get status(): TaskStatus {
    return this.#context.cell.current.value.status;
  }

  /** The pause the task waits for, as this process last knew it. */
  get currentPause(): Pause | undefined {
    return this.#context.cell.current.value.pause;
  }

  /** Epoch ms at which it runs out of time, were it to stay as it is. */
  get deadlineAt(): number {
    return deadlineOf(this.#context.cell.current.value);
  }

  /**
   * An access token for `requirement`. For integrations that cannot use a principal's `fetch`; never give it to a
   * tool. Fresh tokens come from memory, without I/O.
   *
   * @throws {AuthError} (as a rejection) when the task may not have one. Unlike a tool call this opens no pause.
   */
  getAccessToken(requirement: Requirement, request: TokenRequest = {}): Promise<AccessTokenSlot> {
    const { authority } = this.#context;
    const held = request.rejectedGeneration === undefined ? authority.peek(requirement) : undefined;
    if (held === undefined)
      return unlessAborted(authority.token(requirement, request), request.signal);
    if (this.#answered?.token !== held)
      this.#answered = { token: held, promise: Promise.resolve(held) };
    return this.#answered.promise;
  }

  /** Starts one agent loop under this task. Adapters call it. */
  startRun({ runId }: StartRun = {}): AgentRun {
    return new AgentRun(
      this.#context,
      runId === undefined
        ? undefined
        : { id: runId, holder: randomId(), calls: new Set(), happened: new Set() },
    );
  }

  /**
   * What the store knows about calls of a run: adapters ask when a conversation comes back from elsewhere. Calls that
   * left no record, such as plain reads, are missing.
   *
   * @throws {AuthError} `store_unavailable`.
   */
  async storedCalls(options: {
    readonly runId: string;
    readonly toolCallIds: readonly string[];
  }): Promise<readonly StoredCall[]> {
    const found = await Promise.all(
      options.toolCallIds.map((toolCallId) =>
        this.#context.ledger.get(this.#reference(options, toolCallId)),
      ),
    );
    return found.flatMap((record) => {
      if (record === undefined) return [];
      const { toolCallId, toolName, resource, status, happened, code, pauseId } = record.value;
      return [
        {
          ...{ toolCallId, toolName, resource, status },
          ...(happened === undefined ? {} : { happened }),
          ...(code === undefined ? {} : { code }),
          ...(pauseId === undefined ? {} : { pauseId }),
        },
      ];
    });
  }

  /** Makes the task active again if the pause it waits for is decided, and gate and grants agree. */
  async resume(options?: ResumePause): Promise<Resumption> {
    const { tasks, cell } = this.#context;
    await tasks.read(this.id).catch((cause: unknown) => {
      throw new AuthError('store_unavailable', { cause });
    });
    const { status, pause } = cell.current.value;
    if (status === 'active') return { status: 'resumed', taskId: this.id };
    if (pause === undefined || status !== 'paused') return { status: 'ended', taskStatus: status };
    return resumePause(this.#context, pause.id, options);
  }

  /**
   * Continues a paused run: reserves its refused calls, so that of two processes that try, one goes on. Calls of which
   * people have said that they happened are in `happenedCalls`, and do not run again.
   *
   * @throws {AuthError} `not_resumable` when another run has them, or they are not waiting (any more).
   */
  async resumeRun(options: ResumeRun): Promise<AgentRun> {
    // The task may have been resumed elsewhere a moment ago, and this process not have heard of it yet.
    await this.#context.tasks.read(this.id).catch((cause: unknown) => {
      throw new AuthError('store_unavailable', { cause });
    });
    const holder = randomId();
    const calls = options.toolCallIds.toSorted();
    const doubtful = await this.#doubtful(options, calls, holder);
    if (doubtful !== undefined) {
      await this.#askAbout(doubtful);
      const calls: ReadonlySet<string> = new Set();
      return new AgentRun(this.#context, { id: options.runId, holder, calls, happened: calls });
    }
    const happened = new Set<string>();
    try {
      for (const toolCallId of calls)
        if (await this.#hasHappened(options, toolCallId)) happened.add(toolCallId);
        else await this.#reserve(options, toolCallId, holder);
      if (happened.size === calls.length) await this.#reserveTurn(options);
      for (const toolCallId of options.decline ?? []) await this.#decline(options, toolCallId);
    } catch (error) {
      await this.#release(options, calls, holder);
      throw error;
    }
    const again = new Set(calls.filter((call) => !happened.has(call)));
    return new AgentRun(this.#context, { id: options.runId, holder, calls: again, happened });
  }

  /** Pauses the task by hand. Nothing is handed out until it is resumed. */
  async pause(reason: string): Promise<Pause | undefined> {
    const { pauses, cell } = this.#context;
    return pauses.open(
      cell.current.value,
      { code: 'task_paused', recovery: 'approver', reason },
      undefined,
    );
  }

  /** Ends the task as done, and the authority made for it. */
  complete(): Promise<TaskEnd> {
    return this.#context.tasks.end(this.id, 'complete');
  }

  /** Ends the task unfinished. */
  cancel(reason?: string): Promise<TaskEnd> {
    return this.#context.tasks.end(this.id, 'cancel', reason);
  }

  /** Ends the task as failed. */
  fail(reason?: string): Promise<TaskEnd> {
    return this.#context.tasks.end(this.id, 'fail', reason);
  }

  /** The first call whose outcome nobody can tell. Taking over from a process that is gone may reveal one. */
  async #doubtful(
    options: ResumeRun,
    calls: readonly string[],
    holder: string,
  ): Promise<CallRecord | undefined> {
    const { ledger } = this.#context;
    for (const toolCallId of calls) {
      const record = await ledger.change(this.#reference(options, toolCallId), (current) =>
        options.takeOver === true && current?.status === 'started' && current.effect !== 'read'
          ? { ...current, status: 'unknown', holder }
          : undefined,
      );
      if (record?.status === 'unknown') return record;
    }
    return undefined;
  }

  async #hasHappened(options: ResumeRun, toolCallId: string): Promise<boolean> {
    const found = await this.#context.ledger.get(this.#reference(options, toolCallId));
    return found?.value.happened === true;
  }

  /** No call says which of two processes goes on with the run: then the pause does. */
  async #reserveTurn({ runId, pauseId, takeOver }: ResumeRun): Promise<void> {
    if (pauseId === undefined || takeOver === true) return;
    const { tickets, cell } = this.#context;
    const name = {
      task: cell.current.value,
      purpose: 'resumed turn',
      parts: [runId, pauseId],
    } as const;
    if (!(await tickets.use(name, { unissued: true })))
      throw new AuthError('not_resumable', { reason: 'the run was resumed already' });
  }

  async #reserve(options: ResumeRun, toolCallId: string, holder: string): Promise<void> {
    const reserved = await this.#context.ledger.change(
      this.#reference(options, toolCallId),
      (current) => {
        const abandoned =
          options.takeOver === true &&
          (current?.status === 'resuming' || current?.status === 'started');
        const waits = current?.status === 'refused' || current?.status === 'suspended';
        return current !== undefined && (waits || abandoned)
          ? { ...current, status: 'resuming', holder }
          : undefined;
      },
    );
    if (reserved?.holder === holder) return;
    throw new AuthError('not_resumable', {
      reason: reserved === undefined ? 'no such call' : `the call is ${reserved.status}`,
    });
  }

  async #decline(options: ResumeRun, toolCallId: string): Promise<void> {
    const { ledger, tasks, cell } = this.#context;
    const declined = await ledger.change(this.#reference(options, toolCallId), (current) =>
      current !== undefined && ['refused', 'unknown', 'suspended'].includes(current.status)
        ? { ...current, status: 'declined' }
        : undefined,
    );
    if (declined?.status !== 'declined') return;
    const { toolName, resource, effect } = declined;
    tasks.audit(cell.current.value, {
      type: 'tool-call-settled',
      ...{ toolCallId, toolName, resource, effect, outcome: 'declined' },
    });
  }

  /** Not all of them could be had: those that were wait again for whoever resumes them. */
  async #release(options: ResumeRun, calls: readonly string[], holder: string): Promise<void> {
    for (const toolCallId of calls)
      await this.#context.ledger.change(this.#reference(options, toolCallId), (current) =>
        current?.status === 'resuming' && current.holder === holder
          ? { ...current, status: 'refused' }
          : undefined,
      );
  }

  async #askAbout(call: CallRecord): Promise<void> {
    const { pauses, cell } = this.#context;
    const { runId, toolCallId, toolName, resource, scopes, effect } = call;
    await pauses.open(
      cell.current.value,
      { code: 'outcome_unknown', recovery: 'approver', reason: toolCallId },
      { runId, toolCallId, toolName, resource, scopes, effect },
    );
  }

  #reference(options: { readonly runId: string }, toolCallId: string): CallReference {
    return { task: this.#context.cell.current.value, runId: options.runId, toolCallId };
  }
}

/** Ends one caller's wait, whatever it is for: a store that does not answer may be, too. The work goes on. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = (): void => reject(new AuthError('cancelled', { cause: signal.reason }));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  return promise;
}

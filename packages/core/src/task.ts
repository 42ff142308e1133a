import { AgentRun, type RunContext } from './agent-run.ts';
import type { StoredCall } from './call-record.ts';
import { AuthError } from './errors.ts';
import type { AccessTokenSlot } from './grant-record.ts';
import type { Pause } from './pause-record.ts';
import type { Principal } from './principal.ts';
import { randomId } from './random-id.ts';
import type { Requirement } from './requirement.ts';
import { type ResumePause, type Resumption, resumePause } from './resume-pause.ts';
import { type ResumeRun, resumeRun } from './resume-run.ts';
import type { TaskAuthority } from './task-authority.ts';
import type { TaskStatus } from './task-state.ts';
import type { TaskEnd } from './tasks.ts';
import type { TokenRequest } from './token-source.ts';

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
  readonly #authority: TaskAuthority;
  /** The last token, and the promise of it: callers of one token share it. */
  #token: AccessTokenSlot | undefined;
  #answer: Promise<AccessTokenSlot> | undefined;

  /** @internal */
  constructor(authority: TaskAuthority) {
    this.#authority = authority;
  }

  get id(): string {
    return this.#authority.cell.id;
  }

  get principal(): Principal {
    return this.#authority.cell.principal;
  }

  get agent(): string {
    return this.#authority.cell.agent;
  }

  /** The state as this process last knew it. */
  get status(): TaskStatus {
    return this.#authority.cell.status;
  }

  /** The pause the task waits for, as this process last knew it. */
  get currentPause(): Pause | undefined {
    return this.#authority.cell.pause;
  }

  /** Epoch ms at which it runs out of time, were it to stay as it is. */
  get deadlineAt(): number {
    return this.#authority.cell.deadlineAt;
  }

  /**
   * An access token for `requirement`. For integrations that cannot use a principal's `fetch`; never give it to a
   * tool. Fresh tokens come from memory, without I/O.
   *
   * @throws {AuthError} (as a rejection) when the task may not have one. Unlike a tool call this opens no pause.
   */
  getAccessToken(requirement: Requirement, request: TokenRequest = {}): Promise<AccessTokenSlot> {
    const authority = this.#authority;
    const held = request.rejectedGeneration === undefined ? authority.peek(requirement) : undefined;
    if (held === undefined)
      return unlessAborted(authority.token(requirement, request), request.signal);
    if (this.#answer === undefined || this.#token !== held) {
      this.#token = held;
      this.#answer = Promise.resolve(held);
    }
    return this.#answer;
  }

  /** Starts one agent loop under this task. Adapters call it. */
  startRun({ runId }: StartRun = {}): AgentRun {
    return new AgentRun(
      runContext(this.#authority),
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
        this.#authority.context.ledger.get({
          task: this.#authority.cell,
          runId: options.runId,
          toolCallId,
        }),
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
    await this.#authority.context.tasks.read(this.id).catch((cause: unknown) => {
      throw new AuthError('store_unavailable', { cause });
    });
    const { status, pause } = this.#authority.cell;
    if (status === 'active') return { status: 'resumed', taskId: this.id };
    if (pause === undefined || status !== 'paused') return { status: 'ended', taskStatus: status };
    return resumePause(this.#authority.context, pause.id, options);
  }

  /**
   * Continues a paused run: reserves its refused calls, so that of two processes that try, one goes on. Calls of which
   * people have said that they happened are in `happenedCalls`, and do not run again.
   *
   * @throws {AuthError} `not_resumable` when another run has them, or they are not waiting (any more).
   */
  resumeRun(options: ResumeRun): Promise<AgentRun> {
    return resumeRun(runContext(this.#authority), options);
  }

  /** Pauses the task by hand. Nothing is handed out until it is resumed. */
  async pause(reason: string): Promise<Pause | undefined> {
    return this.#authority.context.pauses.open(
      this.#authority.cell,
      { code: 'task_paused', recovery: 'approver', reason },
      undefined,
    );
  }

  /** Ends the task as done, and the authority made for it. */
  complete(): Promise<TaskEnd> {
    return this.#authority.context.tasks.end(this.id, 'complete');
  }

  /** Ends the task unfinished. */
  cancel(reason?: string): Promise<TaskEnd> {
    return this.#authority.context.tasks.end(this.id, 'cancel', reason);
  }

  /** Ends the task as failed. */
  fail(reason?: string): Promise<TaskEnd> {
    return this.#authority.context.tasks.end(this.id, 'fail', reason);
  }
}

function runContext(authority: TaskAuthority): RunContext {
  return { ...authority.context, authority };
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

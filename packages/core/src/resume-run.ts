import { AgentRun, type RunContext } from './agent-run.ts';
import type { CallRecord } from './call-record.ts';
import { AuthError } from './errors.ts';
import type { TaskCell } from './known-tasks.ts';
import type { CallReference } from './ledger.ts';
import { randomId } from './random-id.ts';

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

/**
 * Continues a paused run: reserves its refused calls, so that of two processes that try, one goes on.
 *
 * @throws {AuthError} `not_resumable` when another run has them, or they are not waiting (any more).
 */
export async function resumeRun(context: RunContext, options: ResumeRun): Promise<AgentRun> {
  // The task may have been resumed elsewhere a moment ago, and this process not have heard of it yet.
  await context.tasks.read(context.authority.cell.id).catch((cause: unknown) => {
    throw new AuthError('store_unavailable', { cause });
  });
  const reservation = new Reservation(context, options);
  const { holder, calls } = reservation;
  const run = { id: options.runId, holder };
  const doubtful = await reservation.doubtful();
  if (doubtful !== undefined) {
    await askAbout(context, doubtful);
    const none: ReadonlySet<string> = new Set();
    return new AgentRun(context, { ...run, calls: none, happened: none });
  }
  const happened = await reservation.take();
  const again = new Set(calls.filter((call) => !happened.has(call)));
  return new AgentRun(context, { ...run, calls: again, happened });
}

/** The calls of one run that is resumed, and who takes them. */
class Reservation {
  readonly holder: string = randomId();
  readonly calls: readonly string[];
  readonly #context: RunContext;
  readonly #options: ResumeRun;

  constructor(context: RunContext, options: ResumeRun) {
    this.#context = context;
    this.#options = options;
    this.calls = options.toolCallIds.toSorted();
  }

  /** The first call whose outcome nobody can tell. Taking over from a process that is gone may reveal one. */
  async doubtful(): Promise<CallRecord | undefined> {
    const { ledger } = this.#context;
    for (const toolCallId of this.calls) {
      const record = await ledger.change(this.#reference(toolCallId), (current) =>
        this.#options.takeOver === true &&
        current?.status === 'started' &&
        current.effect !== 'read'
          ? { ...current, status: 'unknown', holder: this.holder }
          : undefined,
      );
      if (record?.status === 'unknown') return record;
    }
    return undefined;
  }

  /** Reserves all of them, or none. Answers those of which people have said that they happened. */
  async take(): Promise<ReadonlySet<string>> {
    const happened = new Set<string>();
    try {
      for (const toolCallId of this.calls)
        if (await this.#hasHappened(toolCallId)) happened.add(toolCallId);
        else await this.#reserve(toolCallId);
      if (happened.size === this.calls.length) await this.#reserveTurn();
      for (const toolCallId of this.#options.decline ?? []) await this.#decline(toolCallId);
    } catch (error) {
      await this.#release();
      throw error;
    }
    return happened;
  }

  async #hasHappened(toolCallId: string): Promise<boolean> {
    const found = await this.#context.ledger.get(this.#reference(toolCallId));
    return found?.value.happened === true;
  }

  /** No call says which of two processes goes on with the run: then the pause does. */
  async #reserveTurn(): Promise<void> {
    const { runId, pauseId, takeOver } = this.#options;
    if (pauseId === undefined || takeOver === true) return;
    const name = { task: this.#task, purpose: 'resumed turn', parts: [runId, pauseId] } as const;
    if (!(await this.#context.tickets.use(name, { unissued: true })))
      throw new AuthError('not_resumable', { reason: 'the run was resumed already' });
  }

  async #reserve(toolCallId: string): Promise<void> {
    const { holder } = this;
    const reserved = await this.#context.ledger.change(this.#reference(toolCallId), (current) => {
      const abandoned =
        this.#options.takeOver === true &&
        (current?.status === 'resuming' || current?.status === 'started');
      const waits = current?.status === 'refused' || current?.status === 'suspended';
      return current !== undefined && (waits || abandoned)
        ? { ...current, status: 'resuming', holder }
        : undefined;
    });
    if (reserved?.holder === holder) return;
    throw new AuthError('not_resumable', {
      reason: reserved === undefined ? 'no such call' : `the call is ${reserved.status}`,
    });
  }

  async #decline(toolCallId: string): Promise<void> {
    const { ledger, tasks } = this.#context;
    const declined = await ledger.change(this.#reference(toolCallId), (current) =>
      current !== undefined && ['refused', 'unknown', 'suspended'].includes(current.status)
        ? { ...current, status: 'declined' }
        : undefined,
    );
    if (declined?.status !== 'declined') return;
    const { toolName, resource, effect } = declined;
    tasks.audit(this.#task, {
      type: 'tool-call-settled',
      ...{ toolCallId, toolName, resource, effect, outcome: 'declined' },
    });
  }

  /** Not all of them could be had: those that were wait again for whoever resumes them. */
  async #release(): Promise<void> {
    for (const toolCallId of this.calls)
      await this.#context.ledger.change(this.#reference(toolCallId), (current) =>
        current?.status === 'resuming' && current.holder === this.holder
          ? { ...current, status: 'refused' }
          : undefined,
      );
  }

  #reference(toolCallId: string): CallReference {
    return { task: this.#task, runId: this.#options.runId, toolCallId };
  }

  get #task(): TaskCell {
    return this.#context.authority.cell;
  }
}

async function askAbout({ pauses, authority }: RunContext, call: CallRecord): Promise<void> {
  const { runId, toolCallId, toolName, resource, scopes, effect } = call;
  await pauses.open(
    authority.cell,
    { code: 'outcome_unknown', recovery: 'approver', reason: toolCallId },
    { runId, toolCallId, toolName, resource, scopes, effect },
  );
}

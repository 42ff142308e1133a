import { inTime } from './clock.ts';
import type { EscalationNotice } from './notifier.ts';
import type { Pause, PauseNotice } from './pause-record.ts';
import { pauseEndsAt } from './pause-steps.ts';
import type { Pauses } from './pauses.ts';
import type { Runtime } from './runtime.ts';
import type { TaskRecord } from './task-record.ts';
import type { Tasks } from './tasks.ts';

/** How long one attempt may take. */
const attemptMs = 10_000;
/** Who has claimed an attempt and is not heard of again: others try after this time. The receiver sees the same key. */
const claimMs = 3 * attemptMs;
const firstRetryMs = 5000;
const longestRetryMs = 3_600_000;

/** What came of one attempt. */
interface Attempt {
  readonly notice: PauseNotice;
  /** Why it failed; absent when it was sent. */
  readonly problem?: string;
}

/**
 * Tells people that a task waits for them. What is to be told stands in the pause itself: whoever swaps a notice
 * to `sending` tells it, and any process does so for one that is gone.
 */
export class PauseNotices {
  readonly #runtime: Runtime;
  readonly #tasks: Tasks;
  readonly #pauses: Pauses;
  readonly #sending = new Set<Promise<void>>();

  constructor(runtime: Runtime, tasks: Tasks, pauses: Pauses) {
    this.#runtime = runtime;
    this.#tasks = tasks;
    this.#pauses = pauses;
  }

  /** Begins to tell what a pause has to tell; nobody waits for it, and what fails stays due. */
  tell(pause: Pause): void {
    if (pause.notices.length === 0) return;
    const sending = this.tellDue(pause.id)
      .then(() => undefined, stayDue)
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
    this.#runtime.background(sending);
  }

  /** Resolves when nothing is being sent any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /** Sends what is due of a pause. Answers how many notices were sent. */
  async tellDue(pauseId: string): Promise<number> {
    const claim = await this.#claim(pauseId);
    if (claim === undefined) return 0;
    const { pause, notices } = claim;
    const task = await this.#pauses.taskOf(pause);
    const attempts = await Promise.all(notices.map((notice) => this.#send(pause, task, notice)));
    await this.#record(pauseId, attempts);
    for (const { notice, problem } of attempts)
      this.#tasks.audit(task, {
        type: problem === undefined ? 'escalation-sent' : 'escalation-failed',
        pauseId,
        outcome: rolesOf(pause, notice).join(', '),
        reason: problem === undefined ? `by ${notice.notifier}` : `${notice.notifier}: ${problem}`,
      });
    return attempts.filter(({ problem }) => problem === undefined).length;
  }

  /** Reserves what is due and can be told here, for this process alone. */
  async #claim(
    pauseId: string,
  ): Promise<{ readonly pause: Pause; readonly notices: readonly PauseNotice[] } | undefined> {
    const { clock, notifiers } = this.#runtime;
    const names = new Set(notifiers.map(({ name }) => name));
    for (;;) {
      const found = await this.#pauses.get(pauseId);
      if (found === undefined || found.value.status !== 'open') return undefined;
      const { version, value: pause } = found;
      const now = clock.now();
      const isDue = ({ status, dueAt, notifier }: PauseNotice): boolean =>
        status !== 'sent' && dueAt <= now && names.has(notifier);
      const claimed = ({ attempts, ...notice }: PauseNotice): PauseNotice => {
        return { ...notice, status: 'sending', attempts: attempts + 1, dueAt: now + claimMs };
      };
      const notices = pause.notices.filter(isDue).map(claimed);
      if (notices.length === 0) return undefined;
      const next = {
        ...pause,
        notices: pause.notices.map((each) => (isDue(each) ? claimed(each) : each)),
      };
      if (await this.#pauses.write(next, version)) return { pause: next, notices };
    }
  }

  async #send(pause: Pause, task: TaskRecord, notice: PauseNotice): Promise<Attempt> {
    const { clock, notifiers } = this.#runtime;
    const notifier = notifiers.find(({ name }) => name === notice.notifier);
    if (notifier === undefined) return { notice, problem: 'there is no such notifier here' };
    const late = new AbortController();
    const send = async (): Promise<Attempt> => {
      const context = {
        idempotencyKey: `${pause.id}.${notice.step + 1}.${notice.notifier}`,
        signal: late.signal,
      };
      await notifier.notify(noticeOf(pause, task, notice), context);
      return { notice };
    };
    try {
      return await inTime(clock, attemptMs, send, () => ({
        notice,
        problem: `did not answer within ${attemptMs} ms`,
      }));
    } catch (error) {
      return { notice, problem: error instanceof Error ? error.message : String(error) };
    } finally {
      late.abort();
    }
  }

  /** Notes what came of it, in the pause as it stands by now. */
  async #record(pauseId: string, attempts: readonly Attempt[]): Promise<void> {
    const now = this.#runtime.clock.now();
    for (;;) {
      const found = await this.#pauses.get(pauseId);
      // Decided meanwhile: nobody has to be told any more.
      if (found === undefined || found.value.status !== 'open') return;
      const { version, value: pause } = found;
      const noted = (each: PauseNotice): PauseNotice => {
        const attempt = attempts.find(({ notice }) => isSame(notice, each));
        if (attempt === undefined) return each;
        const { problem } = attempt;
        if (problem === undefined) return { ...each, status: 'sent', dueAt: now };
        return { ...each, status: 'due', dueAt: now + this.#retryAfterMs(each.attempts) };
      };
      const next = { ...pause, notices: pause.notices.map(noted) };
      if (await this.#pauses.write(next, version)) return;
    }
  }

  /** Half of it by chance: receivers that went away together are not asked again together. */
  #retryAfterMs(attempts: number): number {
    const longest = Math.min(firstRetryMs * 2 ** (attempts - 1), longestRetryMs);
    return longest * (0.5 + this.#runtime.random() / 2);
  }
}

/** The same attempt: another process may have taken the notice over meanwhile. */
function isSame(one: PauseNotice, other: PauseNotice): boolean {
  return (
    one.notifier === other.notifier &&
    one.step === other.step &&
    one.attempts === other.attempts &&
    other.status === 'sending'
  );
}

function rolesOf(pause: Pause, { step }: PauseNotice): EscalationNotice['roles'] {
  return pause.steps[step]?.roles ?? [];
}

function noticeOf(pause: Pause, task: TaskRecord, notice: PauseNotice): EscalationNotice {
  const respondBy = pause.stepEndsAt ?? pauseEndsAt(pause);
  return {
    pauseId: pause.id,
    taskId: pause.taskId,
    agent: task.agent,
    principal: task.principal,
    roles: rolesOf(pause, notice),
    step: notice.step + 1,
    steps: pause.steps.length,
    reason: pause.reason,
    ...(pause.call === undefined ? {} : { call: pause.call }),
    openedAt: pause.openedAt,
    ...(respondBy < Number.POSITIVE_INFINITY ? { respondBy } : {}),
  };
}

/** A store that is away: the notice is due as before, and maintenance finds it. */
function stayDue(): void {}

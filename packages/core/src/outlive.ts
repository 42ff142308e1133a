import type { ChainVerification } from './audit-chain.ts';
import { inTime } from './clock.ts';
import type { OutliveOptions, ResourceConfiguration } from './configuration.ts';
import { checkConfiguration } from './configuration-check.ts';
import { Connect } from './connect.ts';
import { type DecisionRequest, type DecisionResult, decide } from './decide-pause.ts';
import { withdrawDelegations } from './delegation-withdrawal.ts';
import type { Directory } from './directory.ts';
import { type CloseOptions, type DrainReport, drainBoundMs } from './drain.ts';
import { type Explanation, explain } from './explain.ts';
import type { Grants } from './grants.ts';
import type { Hold } from './holds.ts';
import { OwnJournal } from './journal-adoption.ts';
import type { KillSwitches } from './kill-switches.ts';
import type { TaskCell } from './known-tasks.ts';
import { Ledger } from './ledger.ts';
import { type MaintenanceReport, maintain } from './maintenance.ts';
import { PauseNotices } from './pause-notices.ts';
import type { Pause } from './pause-record.ts';
import { Pauses } from './pauses.ts';
import type { Principal } from './principal.ts';
import type { Resource } from './resource.ts';
import { type ResumePause, type Resumption, resumePause } from './resume-pause.ts';
import { assembleRuntime } from './runtime-assembly.ts';
import { type StartTask, startTask } from './start-task.ts';
import { reportUserState, type UserStateReport } from './subject-state.ts';
import { Task } from './task.ts';
import { TaskAuthority } from './task-authority.ts';
import { Tasks } from './tasks.ts';
import { Tickets } from './tickets.ts';
import { heads, type StreamHead, type VerifyOptions, verify } from './verify.ts';

/** The resources of an app as requirements name them: scopes are completed and checked by the compiler. */
export type ConfiguredResources<Resources> = {
  readonly [Name in keyof Resources & string]: Resources[Name] extends {
    readonly scopes: readonly (infer Scope extends string)[];
  }
    ? Resource<Name, Scope>
    : never;
};

/** How long the audit log may take to be written out when the drain has taken all of its time, ms. */
const lastWordsMs = 2000;

/** The runtime of an app: starts tasks, takes in grants, hears decisions, says what happened. */
export interface Outlive<Resources = Record<string, ResourceConfiguration>> {
  /** The configured resources, for requirements. */
  readonly resources: ConfiguredResources<Resources>;
  /** Grants that the app already holds, and what is known about each. */
  readonly grants: Grants;
  /** Getting a grant from a person: in a browser, at a device page, or on their phone. */
  readonly connect: Connect;

  /** Starts a task. @throws {AuthError} when the principal may not be acted for. @throws {ConfigurationError} */
  startTask(options: StartTask): Promise<Task>;
  /** A task that was started earlier, here or in another process. */
  task(taskId: string): Promise<Task | undefined>;

  /** A pause, by the id that errors and outcomes carry. */
  pause(pauseId: string): Promise<Pause | undefined>;
  /** Pauses that wait for people or for a process to resume them. */
  waitingPauses(): AsyncIterable<Pause>;
  /** Takes a person's word on a pause. */
  decide(pauseId: string, request: DecisionRequest): Promise<DecisionResult>;
  /** Makes a decided task active again, if gate and grant agree. */
  resume(pauseId: string, options?: ResumePause): Promise<Resumption>;

  /** Takes note of a person's state that was pushed to the app; every process stops within a second. */
  reportUserState(principal: Principal, report: UserStateReport): Promise<void>;
  /** What directories say about people: links to principals, events that were pushed, those that match nobody. */
  readonly directory: Directory;
  /** What an operator stops as a whole: an agent, a tenant, a provider. */
  readonly killSwitches: KillSwitches;
  /** The gate sources that do not answer. Each hold ends by itself. */
  holds(): AsyncIterable<Hold>;

  /**
   * What happened in a task: who acted, for whom, under which authority, what was done, refused or is unknown, and each
   * step; as data and as a text to read.
   */
  explain(taskId: string): Promise<Explanation>;
  /** Whether a task's audit log is whole, that of its grants and its person with it: the first stream that is not. */
  verify(taskId: string, options?: VerifyOptions): Promise<ChainVerification>;
  /**
   * Where a task's audit log ends, and that of its grants and its person. Kept outside of the store, and given to
   * `verify` as anchors, these show also an end that was cut off.
   */
  auditHeads(taskId: string): Promise<readonly StreamHead[]>;

  /** Does the background work that is due. Call it from a scheduled job where no process stays up. */
  maintain(): Promise<MaintenanceReport>;
  /**
   * Begins no further refresh, finishes those under way within `withinMs` (default 30 s), writes out the audit log, and
   * stops. Does not close the store. Answers what could not be finished in time, which goes on while the process lives.
   *
   * @throws {ConfigurationError} when `withinMs` is no number of milliseconds.
   */
  close(options?: CloseOptions): Promise<DrainReport>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the runtime. Everything is checked here.
 *
 * @throws {ConfigurationError} naming every wrong field by its path, what was expected and what came.
 */
export function createOutlive<const Resources extends Record<string, ResourceConfiguration>>(
  options: OutliveOptions<Resources>,
): Outlive<Resources> {
  checkConfiguration(options);
  const runtime = assembleRuntime(options, {
    taskChanged: (id) => tasks.distrust(id),
    principalRevoked: withdrawInBackground,
    missed: () => tasks.distrustAll(),
  });
  const tasks = new Tasks(runtime);
  const ledger = new Ledger(runtime);
  const tickets = new Tickets(runtime);
  const pauses: Pauses = new Pauses(runtime, tasks, (pause) => notices.tell(pause));
  const notices = new PauseNotices(runtime, tasks, pauses);
  const ownJournal = new OwnJournal(runtime);
  const context = { runtime, tasks, pauses, ledger, tickets };
  const stopMaintaining = maintainInBackground();
  const withdrawals = new Set<Promise<void>>();

  function taskOf(cell: TaskCell): Task {
    return new Task(new TaskAuthority(context, cell));
  }

  /** What fails is due by itself, or is asked again by whoever learns of the revocation next. */
  function withdrawInBackground(subject: string): void {
    const withdrawal = withdrawDelegations(runtime, tasks, subject).catch(() => undefined);
    withdrawals.add(withdrawal);
    void withdrawal.finally(() => withdrawals.delete(withdrawal));
    runtime.background(withdrawal);
  }

  /** Answers what stops it, and resolves when a round under way has ended. */
  function maintainInBackground(): () => Promise<unknown> {
    const everyMs = runtime.policy.maintainMs;
    let stopped = everyMs === 0;
    let cancel: () => void = () => undefined;
    // At once, and whoever maintains later: what a dead process left on this disk is what its tasks wait for. What
    // cannot be adopted now is found again by the next round.
    const starting = ownJournal.clear([]);
    let round = Promise.resolve();
    const next = (): void => {
      if (stopped) return;
      cancel = runtime.clock.schedule(() => {
        // A round that failed left everything due; the next one finds it again.
        round = maintain(context, notices, ownJournal).then(next, next);
      }, everyMs);
    };
    next();
    return () => {
      stopped = true;
      cancel();
      return Promise.all([starting, round]);
    };
  }

  async function close(options: CloseOptions = {}): Promise<DrainReport> {
    const { clock, grants, feed, audit } = runtime;
    const closeAtMs = clock.monotonicMs() + drainBoundMs(options);
    const within = (leftMs: number, work: () => Promise<unknown>): Promise<unknown> =>
      inTime(clock, Math.max(0, leftMs), work, () => undefined);
    await within(closeAtMs - clock.monotonicMs(), () =>
      Promise.all([stopMaintaining(), grants.close(), notices.idle(), ...withdrawals]),
    );
    feed.close();
    const unfinished = await grants.unfinished();
    // A store that has just let the drain down may hang here, too.
    await within(Math.max(lastWordsMs, closeAtMs - clock.monotonicMs()), () => audit.close());
    return { unfinished };
  }

  return {
    resources: Object.fromEntries(
      Object.entries(options.resources).map(([name, { scopes }]) => [name, { name, scopes }]),
    ) as ConfiguredResources<Resources>,
    grants: runtime.grants,
    connect: new Connect(context),
    startTask: async (start) => taskOf(await startTask(runtime, tasks, start)),
    async task(taskId) {
      const cell = await tasks.load(taskId);
      return cell && taskOf(cell);
    },
    pause: async (pauseId) => (await pauses.get(pauseId))?.value,
    waitingPauses: () => pauses.waiting(),
    decide: (pauseId, request) => decide(context, pauseId, request),
    resume: (pauseId, resume) => resumePause(context, pauseId, resume),
    async reportUserState(principal, report) {
      const subject = await reportUserState(runtime, principal, report);
      if (report.state === 'revoked') withdrawInBackground(subject);
    },
    directory: runtime.directory,
    killSwitches: runtime.killSwitches,
    holds: () => runtime.holds.current(),
    async explain(taskId) {
      const onBehalfOf = (await tasks.read(taskId))?.principal;
      return explain({ audit: runtime.audit, taskId, onBehalfOf });
    },
    verify: (taskId, verification) => verify(runtime.audit, taskId, verification),
    auditHeads: (taskId) => heads(runtime.audit, taskId),
    maintain: () => maintain(context, notices, ownJournal),
    close,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

import type { AgentRun, Outlive, Resumption, Task } from '@outlive/core';
import { type ErrorReport, readItems, sendPayment } from './agent-setup.ts';
import { errorReport } from './error-report.ts';
import { createServing, type ServingReport } from './serving.ts';
import type { ShiftableClock } from './shiftable-clock.ts';
import type { WatchedStore } from './watched-store.ts';

/** What became of asking for a token. */
export type TokenAnswer =
  | { readonly status: 'served'; readonly generation: number }
  | { readonly status: 'refused'; readonly error: ErrorReport };

/** What became of one tool call. */
export type CallAnswer =
  | { readonly status: 'answered'; readonly httpStatus: number; readonly runId: string }
  | {
      readonly status: 'refused';
      readonly error: ErrorReport;
      readonly runId: string;
      readonly runStatus: string;
    };

/** How long a task went on giving tokens. Instants are those of the machine's clock, which all processes share. */
export interface StopReport {
  readonly lastServedAt: number;
  readonly servedAfterRefusal: number;
  readonly refusals: readonly string[];
}

/** Everything a test may ask of a process. */
export interface AgentCommands {
  /** The task's status as the store has it. */
  status(taskId: string): Promise<string | undefined>;
  token(taskId: string): Promise<TokenAnswer>;
  /** A read with the principal's fetch, under a run of its own. */
  read(taskId: string): Promise<CallAnswer>;
  /** A payment with the principal's fetch, under a run of its own. */
  pay(taskId: string, toolCallId: string): Promise<CallAnswer>;
  resume(pauseId: string): Promise<Resumption['status']>;
  /** Continues a run that was paused for a payment. */
  payAgain(resumption: {
    readonly taskId: string;
    readonly runId: string;
    readonly toolCallId: string;
    readonly takeOver?: boolean;
  }): Promise<CallAnswer>;
  /** Waits until the token this process was last given cannot be used any more. */
  outliveToken(taskId: string): Promise<void>;
  /** So many callers at once, each of which gets a token and uses it. */
  serveOnce(taskId: string, callers: number): Promise<ServingReport>;
  /** So many callers who go on getting tokens and using them. */
  startServing(taskId: string, callers: number): Promise<void>;
  stopServing(): Promise<ServingReport>;
  /** Goes on asking for tokens; resolves at the first success. */
  startAsking(taskId: string): Promise<void>;
  /** Stops asking; resolves when asking has been refused `refusals` times. */
  stopAsking(refusals: number): Promise<StopReport>;
  shiftClock(aheadMs: number): Promise<void>;
  /** What this process made of the grant, in order. */
  grantWrites(): Promise<readonly string[]>;
  /** How often the API has answered this process with 401. */
  unauthorized(): Promise<number>;
}

/** What the commands work with. */
export interface CommandParts {
  readonly outlive: Outlive;
  readonly store: WatchedStore;
  readonly clock: ShiftableClock;
  readonly unauthorized: () => number;
}

export function createCommands({
  outlive,
  store,
  clock,
  unauthorized,
}: CommandParts): AgentCommands {
  const serving = createServing(clock);
  let asking: { stopped: boolean; report: Promise<StopReport>; refusals: number } | undefined;

  async function existing(taskId: string): Promise<Task> {
    const task = await outlive.task(taskId);
    if (task === undefined) throw new Error(`there is no task ${taskId} in this store`);
    return task;
  }

  async function token(taskId: string): Promise<TokenAnswer> {
    try {
      const { generation } = await (await existing(taskId)).getAccessToken(readItems);
      return { status: 'served', generation };
    } catch (error) {
      return { status: 'refused', error: errorReport(error) };
    }
  }

  return {
    status: async (taskId) => (await outlive.task(taskId))?.status,
    token,
    async read(taskId) {
      const run = (await existing(taskId)).startRun();
      return callTool(run, { requirement: readItems, toolCallId: 'read', path: 'items' });
    },
    async pay(taskId, toolCallId) {
      const run = (await existing(taskId)).startRun();
      return callTool(run, { requirement: sendPayment, toolCallId, path: 'payments' });
    },
    resume: async (pauseId) => (await outlive.resume(pauseId)).status,
    async payAgain({ taskId, runId, toolCallId, takeOver = false }) {
      const task = await existing(taskId);
      const run = await task.resumeRun({ runId, toolCallIds: [toolCallId], takeOver });
      return callTool(run, { requirement: sendPayment, toolCallId, path: 'payments' });
    },
    outliveToken: async (taskId) => serving.outliveToken(await existing(taskId)),
    serveOnce: async (taskId, callers) => serving.serveOnce(await existing(taskId), callers),
    startServing: async (taskId, callers) => serving.start(await existing(taskId), callers),
    stopServing: () => serving.stop(),
    async startAsking(taskId) {
      const started = { stopped: false, refusals: 0 };
      const task = await existing(taskId);
      await task.getAccessToken(readItems);
      asking = Object.assign(started, { report: askUntilStopped(task, started) });
    },
    async stopAsking(refusals) {
      if (asking === undefined) throw new Error('this process does not ask');
      asking.refusals = refusals;
      return asking.report;
    },
    async shiftClock(aheadMs) {
      clock.aheadMs = aheadMs;
    },
    grantWrites: async () => store.grantWrites,
    unauthorized: async () => unauthorized(),
  };
}

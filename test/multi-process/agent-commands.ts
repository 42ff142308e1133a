import type { MaintenanceReport, Outlive, Resumption, Task } from '@outlive/core';
import {
  type AgentEvent,
  type ErrorReport,
  principal,
  readItems,
  sendPayment,
} from './agent-setup.ts';
import { askUntilRefused, type StopReport } from './asking.ts';
import { type CallAnswer, callTool, notRun } from './call-tool.ts';
import { errorReport } from './error-report.ts';
import { createServing, type ServingReport } from './serving.ts';
import type { ShiftableClock } from './shiftable-clock.ts';
import type { WatchedStore } from './watched-store.ts';

/** What became of asking for a token. */
export type TokenAnswer =
  | { readonly status: 'served'; readonly generation: number }
  | { readonly status: 'refused'; readonly error: ErrorReport };

/** Everything a test may ask of a process. */
export interface AgentCommands {
  /** The task's status as the store has it. */
  status(taskId: string): Promise<string | undefined>;
  token(taskId: string): Promise<TokenAnswer>;
  startTask(): Promise<string>;
  /** Imports a grant of this principal in place of the one there is. */
  importGrant(refreshToken: string): Promise<void>;
  /** A read with the principal's fetch, under a run of its own. */
  read(taskId: string): Promise<CallAnswer>;
  /** A payment with the principal's fetch, under a run of its own. */
  pay(taskId: string, toolCallId: string): Promise<CallAnswer>;
  resume(pauseId: string): Promise<Resumption['status']>;
  maintain(): Promise<MaintenanceReport>;
  /** Continues a run that was paused for a payment. */
  payAgain(paused: PausedPayment): Promise<CallAnswer>;
  /** Waits until the token that this process holds cannot be used any more. */
  outliveToken(): Promise<void>;
  /** So many callers at once, each of which gets a token and uses it. */
  serveOnce(taskId: string, callers: number): Promise<ServingReport>;
  /** So many callers who go on getting tokens, and use them now and then. */
  startServing(taskId: string, callers: number): Promise<void>;
  stopServing(): Promise<ServingReport>;
  /** Asks for tokens until it was refused so many times. */
  askUntilRefused(taskId: string, times: number): Promise<StopReport>;
  shiftClock(aheadMs: number): Promise<void>;
  /** The states of the grant that this process wrote, in order. */
  grantWrites(): Promise<readonly string[]>;
  /** How often the API has answered this process with 401. */
  unauthorized(): Promise<number>;
}

/** Which call of which run goes on. */
export interface PausedPayment {
  readonly taskId: string;
  readonly runId: string;
  readonly toolCallId: string;
  readonly takeOver?: boolean;
  /** Make the call although the run says that it may not be made: an adapter that does not look. */
  readonly insist?: boolean;
}

/** What the commands work with. */
export interface CommandParts {
  readonly outlive: Outlive;
  readonly store: WatchedStore;
  readonly clock: ShiftableClock;
  readonly unauthorized: () => number;
  readonly tell: (event: AgentEvent) => void;
}

/** The commands of one process. */
export function createCommands(parts: CommandParts): AgentCommands {
  const { outlive, store, clock } = parts;
  const serving = createServing(clock);

  async function existing(taskId: string): Promise<Task> {
    const task = await outlive.task(taskId);
    if (task === undefined) throw new Error(`there is no task ${taskId} in this store`);
    return task;
  }

  return {
    status: async (taskId) => (await outlive.task(taskId))?.status,
    async token(taskId) {
      try {
        const { generation } = await (await existing(taskId)).getAccessToken(readItems);
        return { status: 'served', generation };
      } catch (error) {
        return { status: 'refused', error: errorReport(error) };
      }
    },
    async startTask() {
      const requirements = [readItems, sendPayment];
      const { id } = await outlive.startTask({
        principal,
        agent: 'tester',
        requirements,
        expectedDurationMs: 60_000,
      });
      return id;
    },
    async importGrant(refreshToken) {
      const tokens = { access_token: 'unused', refresh_token: refreshToken };
      await outlive.grants.import({ provider: 'issuer', principal, tokens, replace: true });
    },
    async read(taskId) {
      const run = (await existing(taskId)).startRun();
      return callTool(run, { requirement: readItems, toolName: 'readItems', toolCallId: 'read' });
    },
    async pay(taskId, toolCallId) {
      const run = (await existing(taskId)).startRun();
      return callTool(run, { requirement: sendPayment, toolName: 'sendPayment', toolCallId });
    },
    resume: async (pauseId) => (await outlive.resume(pauseId)).status,
    maintain: () => outlive.maintain(),
    async payAgain({ taskId, runId, toolCallId, takeOver = false, insist = false }) {
      const task = await existing(taskId);
      const run = await task.resumeRun({ runId, toolCallIds: [toolCallId], takeOver });
      if (!insist && !run.resumableCalls.has(toolCallId)) return notRun(run);
      return callTool(run, { requirement: sendPayment, toolName: 'sendPayment', toolCallId });
    },
    outliveToken: () => serving.outliveToken(),
    serveOnce: async (taskId, callers) => serving.serveOnce(await existing(taskId), callers),
    startServing: async (taskId, callers) => serving.start(await existing(taskId), callers),
    stopServing: () => serving.stop(),
    askUntilRefused: async (taskId, times) =>
      askUntilRefused(await existing(taskId), times, () => parts.tell('asking')),
    async shiftClock(aheadMs) {
      clock.aheadMs = aheadMs;
    },
    grantWrites: async () => store.grantWrites,
    unauthorized: async () => parts.unauthorized(),
  };
}

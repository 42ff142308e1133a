import { type AccessTokenSlot, type Clock, sleep, type Task } from '@outlive/core';
import { type ErrorReport, readItems } from './agent-setup.ts';
import { errorReport } from './error-report.ts';

/** What many callers met. */
export interface ServingReport {
  /** Callers that got a token, and whose request with it was answered 200. */
  readonly served: number;
  /** Tokens that had expired when they were handed out. */
  readonly expired: number;
  /** Generations of the tokens, each once, ascending. */
  readonly generations: readonly number[];
  readonly refused: readonly ErrorReport[];
  /** Statuses other than 200 that reached a tool. */
  readonly statuses: readonly number[];
}

/** Many concurrent callers of one task in this process. */
export interface Serving {
  outliveToken(): Promise<void>;
  serveOnce(task: Task, callers: number): Promise<ServingReport>;
  start(task: Task, callers: number): void;
  stop(): Promise<ServingReport>;
}

/** One use in so many of a token that goes to the API while serving: one test process answers all of them. */
const useEvery = 20;

export function createServing(clock: Clock): Serving {
  let held: AccessTokenSlot | undefined;
  let running: { stopped: boolean; done: Promise<unknown>; visits: Visits } | undefined;

  async function visit(task: Task, visits: Visits, use: boolean): Promise<void> {
    try {
      const slot = await task.getAccessToken(readItems);
      if (clock.now() >= slot.expiresAt) visits.expired += 1;
      visits.generations.add(slot.generation);
      held = slot;
      if (use) {
        const status = await useToken(task);
        if (status !== 200) return void visits.statuses.push(status);
      }
      visits.served += 1;
    } catch (error) {
      visits.refused.push(errorReport(error));
    }
  }

  return {
    async outliveToken() {
      if (held === undefined) return;
      await sleep(clock, Math.max(0, held.unusableAt - clock.now()));
    },

    async serveOnce(task, callers) {
      const visits = noVisits();
      await Promise.all(Array.from({ length: callers }, () => visit(task, visits, true)));
      return reportOf(visits);
    },

    start(task, callers) {
      const started = { stopped: false, visits: noVisits() };
      const caller = async (number: number): Promise<void> => {
        for (let round = number; !started.stopped; round += 1) {
          await visit(task, started.visits, round % useEvery === 0);
          await sleep(clock, 20);
        }
      };
      const done = Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
      running = Object.assign(started, { done });
    },

    async stop() {
      if (running === undefined) throw new Error('this process does not serve');
      running.stopped = true;
      await running.done;
      return reportOf(running.visits);
    },
  };
}

async function useToken(task: Task): Promise<number> {
  const call = task.startRun().call({
    requirement: readItems,
    toolName: 'readItems',
    toolCallId: 'read',
    input: {},
  });
  const response = await call.principal.fetch('items');
  await response.text();
  await call.settle({ ok: response.ok });
  return response.status;
}

interface Visits {
  served: number;
  expired: number;
  readonly generations: Set<number>;
  readonly refused: ErrorReport[];
  readonly statuses: number[];
}

function noVisits(): Visits {
  return { served: 0, expired: 0, generations: new Set(), refused: [], statuses: [] };
}

function reportOf(visits: Visits): ServingReport {
  const generations = [...visits.generations].toSorted((one, other) => one - other);
  return { ...visits, generations };
}

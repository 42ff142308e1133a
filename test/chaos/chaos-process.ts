// Run by the chaos test as a process of its own: asks for tokens of all grants, calls tools with them, and lets paused
// tasks go on, until it is killed.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type AuditEntry, AuthError, StoreError, type Task } from '@outlive/core';
import { fileJournal } from '@outlive/core/node';
import { createAgentRuntime } from '../multi-process/agent-runtime.ts';
import { readItems, sendPayment } from '../multi-process/agent-setup.ts';
import { callTool } from '../multi-process/call-tool.ts';
import { parentProcess } from '../multi-process/parent-process.ts';
import { openStore } from '../multi-process/shared-store.ts';
import {
  type ChaosCommands,
  type ChaosEvent,
  type ChaosReport,
  type ChaosSetup,
  directoryGate,
} from './chaos-setup.ts';
import { letTasksGoOn } from './let-tasks-go-on.ts';
import { reportingStore } from './reporting-store.ts';
import { seededRandom } from './seeded-random.ts';

const callers = 10;
const toolCallers = 2;
/** Whoever has not had a turn for so long was stopped meanwhile, and cannot know how old the token in its hand is, ms. */
const standstillMs = 300;

const parent = await parentProcess<ChaosSetup, ChaosEvent>();
const { setup } = parent;
const report = (message: ChaosReport): void => parent.report(message);
const random = seededRandom(setup.seed);
const store = openStore(setup.place);
let saidWhoItIs = false;
const outlive = createAgentRuntime(setup, {
  store: reportingStore(store, (write) => report({ kind: 'write', ...write })),
  journal: fileJournal({
    directory: setup.journalFolder,
    keys: setup.keys,
    // Workers are killed while they write: torn files are what this is about.
    onProblem: () => undefined,
  }),
  gate: directoryGate(setup),
  audit: {
    // What the API sees is then in the log for certain, also while the store is restarted.
    whenStoreFails: 'stop',
    sinks: [{ name: 'parent', write: sayWhoItIs }],
    onProblem(problem) {
      // The store is restarted all the time: that is what this is about.
      if (problem.kind !== 'unavailable') console.error(problem);
    },
  },
});
const tasks = new Map<string, Task>();
const refused: Record<string, number> = {};
let served = 0;
let expired = 0;
let stopped = false;

let lastTurnAt = Date.now();
const turns = setInterval(() => {
  lastTurnAt = Date.now();
}, 20);
const figures = setInterval(tellFigures, 100);
const working = [
  ...Array.from({ length: callers }, () => repeat(askForToken, [5, 15])),
  ...Array.from({ length: toolCallers }, () => repeat(useTool, [30, 90])),
  repeat(() => letTasksGoOn(outlive), [200, 600]),
];

parent.serve<ChaosCommands>({
  async stop() {
    stopped = true;
    await Promise.all(working);
    await outlive.close();
    clearInterval(turns);
    clearInterval(figures);
    tellFigures();
    await store.close();
  },
});

async function repeat(
  act: () => Promise<void>,
  [leastMs, mostMs]: readonly [number, number],
): Promise<void> {
  while (!stopped) {
    try {
      await act();
    } catch (error) {
      const code = codeOf(error);
      refused[code] = (refused[code] ?? 0) + 1;
    }
    await wait(leastMs + random() * (mostMs - leastMs));
  }
}

async function askForToken(): Promise<void> {
  const task = await anyTask();
  const { expiresAt } = await task.getAccessToken(readItems);
  const now = Date.now();
  if (now >= expiresAt && now - lastTurnAt < standstillMs) {
    expired += 1;
    tellFigures();
  }
  served += 1;
  if (served === 1) parent.tell('working');
}

async function useTool(): Promise<void> {
  const run = (await anyTask()).startRun();
  const tool =
    random() < 0.5
      ? { requirement: sendPayment, toolName: 'sendPayment' }
      : { requirement: readItems, toolName: 'readItems' };
  await callTool(run, { ...tool, toolCallId: randomUUID() });
}

async function anyTask(): Promise<Task> {
  const taskId = setup.taskIds[Math.floor(random() * setup.taskIds.length)] ?? '';
  return tasks.get(taskId) ?? load(taskId);
}

async function load(taskId: string): Promise<Task> {
  const task = await outlive.task(taskId);
  if (task === undefined) throw new Error(`there is no task ${taskId} in this store`);
  tasks.set(taskId, task);
  return task;
}

/** The audit log names processes by an id that only the runtime knows. */
function sayWhoItIs({ process }: AuditEntry): void {
  if (process === undefined || saidWhoItIs) return;
  saidWhoItIs = true;
  report({ kind: 'process', process });
}

function tellFigures(): void {
  report({ kind: 'figures', served, expired, refused });
}

function codeOf(error: unknown): string {
  if (AuthError.is(error)) return error.code;
  if (error instanceof StoreError) return `store_${error.code}`;
  if (error instanceof TypeError && error.message === 'fetch failed') return 'connection_lost';
  throw error;
}

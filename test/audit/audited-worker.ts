// Run by the auditor's test as a process of its own: calls tools in the name of tasks until it is killed.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { AuthError, type Task } from '@outlive/core';
import { seededRandom } from '../chaos/seeded-random.ts';
import { createAgentRuntime } from '../multi-process/agent-runtime.ts';
import { readItems, sendPayment } from '../multi-process/agent-setup.ts';
import { parentProcess } from '../multi-process/parent-process.ts';
import { openStore } from '../multi-process/shared-store.ts';
import {
  type AuditedCommands,
  type AuditedEvent,
  type AuditedSetup,
  directoryGate,
} from './audit-setup.ts';

const callers = 4;
const { setup, tell, serve } = await parentProcess<AuditedSetup, AuditedEvent>();
const random = seededRandom(setup.seed);
const store = openStore(setup.place);
const outlive = createAgentRuntime(setup, { store, gate: directoryGate(setup.issuerUrl) });
const tasks = new Map<string, Task>();
let hasWorked = false;
let stopped = false;
const working = Array.from({ length: callers }, work);

serve<AuditedCommands>({
  async stop() {
    stopped = true;
    await Promise.all(working);
    await outlive.close();
    await store.close();
  },
});

async function work(): Promise<void> {
  while (!stopped) {
    const taskId = setup.taskIds[Math.floor(random() * setup.taskIds.length)] ?? '';
    await callTool(tasks.get(taskId) ?? (await load(taskId)));
    if (!hasWorked) tell('working');
    hasWorked = true;
    await wait(5 + random() * 20);
  }
}

/** As a tool does it: one call, whose key tells the API which one it is. */
async function callTool(task: Task): Promise<void> {
  const isPayment = random() < 0.5;
  const call = task.startRun().call({
    requirement: isPayment ? sendPayment : readItems,
    toolName: isPayment ? 'sendPayment' : 'readItems',
    toolCallId: randomUUID(),
    input: {},
  });
  const { principal } = call;
  try {
    const response = await principal.fetch(isPayment ? 'payments' : 'items', {
      method: isPayment ? 'POST' : 'GET',
      headers: { 'idempotency-key': principal.idempotencyKey },
    });
    await call.settle({ ok: response.ok });
  } catch (error) {
    await call.settle({ ok: false, error });
    // Refusals are part of the story; anything else is a fault of the test.
    if (AuthError.find(error) === undefined && !isNetworkFailure(error)) throw error;
  }
}

function isNetworkFailure(error: unknown): boolean {
  return error instanceof TypeError && error.message === 'fetch failed';
}

async function load(taskId: string): Promise<Task> {
  const task = await outlive.task(taskId);
  if (task === undefined) throw new Error(`there is no task ${taskId} in this store`);
  tasks.set(taskId, task);
  return task;
}

import { setTimeout as wait } from 'node:timers/promises';
import type { Task } from '@outlive/core';
import { readItems } from './agent-setup.ts';
import { errorReport } from './error-report.ts';

/** How long a task went on giving tokens. Instants are of the machine's clock, which all its processes share. */
export interface StopReport {
  /** Epoch ms. */
  readonly lastServedAt: number;
  readonly servedAfterRefusal: number;
  /** The codes of the refusals. */
  readonly refusals: readonly string[];
}

/** Asks for tokens without a pause until it was refused `times` times. */
export async function askUntilRefused(
  task: Task,
  times: number,
  served: () => void,
): Promise<StopReport> {
  const refusals: string[] = [];
  let lastServedAt = 0;
  let servedAfterRefusal = 0;
  while (refusals.length < times) {
    try {
      await task.getAccessToken(readItems);
      if (lastServedAt === 0) served();
      lastServedAt = Date.now();
      if (refusals.length > 0) servedAfterRefusal += 1;
    } catch (error) {
      refusals.push(errorReport(error).code ?? '');
    }
    // Lets timers run, the stop feed's among them: a token in memory costs no turn of the event loop.
    await wait(1);
  }
  return { lastServedAt, servedAfterRefusal, refusals };
}

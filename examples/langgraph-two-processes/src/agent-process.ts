import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Assignment, Report } from './messages.ts';

/**
 * Starts a process, gives it its assignment, and waits until it has ended.
 *
 * @throws {Error} when it ends without a report.
 */
export async function runInProcess(assignment: Assignment): Promise<Report> {
  const child = fork(fileURLToPath(new URL('agent-worker.ts', import.meta.url)), {
    // Keys are bytes, and plain JSON would lose them.
    serialization: 'advanced',
  });
  let report: Report | undefined;
  child.on('message', (message: Report) => {
    report = message;
  });
  child.send(assignment);
  const [status] = await once(child, 'exit');
  if (status !== 0 || report === undefined)
    throw new Error(`process ${child.pid} ended with ${status}, and without a report`);
  return report;
}

import type { ChildProcess } from 'node:child_process';
import { startWaitingProcess } from '../../../test/servers/waiting-process.ts';

const script = new URL('./store-process.ts', import.meta.url);

/** What a process of its own is to do, and where. */
export interface ProcessTask {
  readonly task: 'tryToWrite' | 'increment' | 'watchOnly';
  readonly url: string;
  readonly schema: string;
  readonly listen?: string;
  readonly count?: number;
}

/** A process that uses the store when it is told to begin. */
export function startProcess(task: ProcessTask): Promise<ChildProcess> {
  return startWaitingProcess(script, [JSON.stringify(task)]);
}

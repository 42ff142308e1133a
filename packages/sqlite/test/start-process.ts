import type { ChildProcess } from 'node:child_process';
import { startWaitingProcess } from '../../../test/servers/waiting-process.ts';

const script = new URL('./store-process.ts', import.meta.url);

/** A process that uses the store at `path` when it is told to begin. */
export function startProcess(
  task: 'increment' | 'writeForever' | 'tryToWrite' | 'tryToWriteAsNobody' | 'watchOnly',
  path: string,
  options: { readonly count?: number } = {},
): Promise<ChildProcess> {
  return startWaitingProcess(script, [task, path, String(options.count ?? 0)]);
}

import { readdirSync, readFileSync } from 'node:fs';

/** The processes whose parent is `pid`; none where the system has no /proc. */
export function childrenOf(pid: number): readonly number[] {
  return processes().filter((each) => parentOf(each) === pid);
}

function processes(): readonly number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    // No /proc here.
    return [];
  }
}

function parentOf(pid: number): number | undefined {
  try {
    // The name of the program, in parentheses, may hold anything; what follows it is: state, parent.
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

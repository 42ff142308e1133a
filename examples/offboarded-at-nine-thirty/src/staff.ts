import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Assignment, Report } from './messages.ts';

/** A process of the story. */
export interface Member {
  /** The first report of a type, also one that has come already. */
  heard<Type extends Report['type']>(type: Type): Promise<Extract<Report, { type: Type }>>;
  /** How many reports of a type have come since this epoch ms. */
  countSince(type: 'model-called', at: number): number;
  /** Lets it go on from where it waits. */
  goOn(): void;
}

/** The processes of the story; disposing it ends them. */
export interface Staff extends AsyncDisposable {
  start(script: 'agent-worker.ts' | 'desk-worker.ts', assignment: Assignment): Member;
}

/** Starts with nobody. */
export function createStaff(): Staff {
  const children: ChildProcess[] = [];
  return {
    start(script, assignment) {
      const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
        // Keys are bytes, and plain JSON would lose them.
        serialization: 'advanced',
      });
      children.push(child);
      const reports: Report[] = [];
      let wake = Promise.withResolvers<void>();
      const news = (): void => {
        wake.resolve();
        wake = Promise.withResolvers();
      };
      let isGone = false;
      child.on('message', (report: Report) => {
        reports.push(report);
        news();
      });
      child.once('exit', () => {
        isGone = true;
        news();
      });
      child.send(assignment);
      return {
        async heard<Type extends Report['type']>(type: Type) {
          for (;;) {
            const found = reports.find(
              (report): report is Extract<Report, { type: Type }> => report.type === type,
            );
            if (found !== undefined) return found;
            if (isGone) throw new Error(`${script} ended before it was ${type}`);
            await wake.promise;
          }
        },
        countSince: (type, at) =>
          reports.filter((report) => report.type === type && report.at > at).length,
        goOn: () => void child.send('go on'),
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return;
          const exited = once(child, 'exit');
          child.kill();
          await exited;
        }),
      );
    },
  };
}

import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { errorReport } from './error-report.ts';
import type { CommandMessage, CommandsLike, ProcessMessage } from './process-messages.ts';

/** The test, as a process that it has started sees it. */
export interface ParentProcess<Setup, Event extends string> {
  /** What the process was started with. */
  readonly setup: Setup;
  /** Resolves when the test lets the process go on from where it holds. */
  readonly released: Promise<void>;
  tell(event: Event): void;
  /** Figures, with no test waiting for them. */
  report(report: unknown): void;
  /** Says that the process is ready, and does what the test asks for from now on. */
  serve<Commands extends CommandsLike<Commands>>(commands: Commands): void;
}

/** To be called first in a process that was started with `forkProcess`. */
export async function parentProcess<Setup, Event extends string>(): Promise<
  ParentProcess<Setup, Event>
> {
  // A process whose parent is gone has nobody to work for.
  process.once('disconnect', () => process.exit());
  const say = (message: ProcessMessage): void => {
    process.send?.(message);
  };
  const [setup] = (await once(process, 'message')) as [Setup];
  const release = Promise.withResolvers<void>();

  return {
    setup,
    released: release.promise,
    tell: (event) => say({ event }),
    report: (report) => say({ report }),
    serve(commands) {
      process.on('message', async (message: CommandMessage) => {
        if (message.command === 'release') return release.resolve();
        if (!('id' in message)) return;
        const { id, command, parameters } = message;
        try {
          const answer: unknown = await Reflect.apply(
            Reflect.get(commands, command),
            undefined,
            parameters,
          );
          say({ id, answer });
        } catch (error) {
          say({ id, error: errorReport(error) });
        }
      });
      // Now, since most of these processes do not live to see an orderly exit.
      flushCompileCache();
      say({ event: 'ready' });
    },
  };
}

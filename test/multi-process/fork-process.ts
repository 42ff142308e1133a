import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ErrorReport } from './agent-setup.ts';
import type { CommandMessage, CommandsLike, ProcessMessage } from './process-messages.ts';

/** A process of the tests' own, driven by messages. */
export interface ForkedProcess<Commands extends CommandsLike<Commands>, Event extends string> {
  /** Asks for a command. Rejects with a {@link ProcessFailure} when it throws there, or the process ends first. */
  call<Name extends keyof Commands & string>(
    command: Name,
    ...parameters: Parameters<Commands[Name]>
  ): ReturnType<Commands[Name]>;
  /** Resolves when the process has told of it since the last time it was waited for. */
  event(event: Event): Promise<void>;
  /** Lets the process go on from where it was held. */
  release(): void;
  /** SIGKILL. Resolves when the process is gone. May be called twice. */
  kill(): Promise<void>;
  /** SIGSTOP: the process stands still and does not know it. */
  freeze(): void;
  /** SIGCONT. */
  wake(): void;
}

/** What a command threw in its process. */
export class ProcessFailure extends Error {
  override readonly name = 'ProcessFailure';
  readonly report: ErrorReport;

  constructor(report: ErrorReport) {
    super(`${report.name}: ${report.message}`);
    this.report = report;
  }
}

// Most of a process's start is stripping types and compiling: once is enough for all of them.
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url));

/**
 * Starts `script`, which begins with `parentProcess`, and resolves when it is ready. Whoever starts it kills it.
 *
 * @param setup what the process is started with. Crosses the process boundary, so it is plain data.
 * @param hear receives what the process reports by itself.
 */
export async function forkProcess<Commands extends CommandsLike<Commands>, Event extends string>(
  script: URL,
  setup: object,
  hear: (report: unknown) => void = () => undefined,
): Promise<ForkedProcess<Commands, Event>> {
  const child = fork(script, {
    execArgv: [],
    serialization: 'advanced',
    env: { NODE_COMPILE_CACHE: compileCache },
  });
  const exited = once(child, 'exit');
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const told = new Map<string, number>();
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  let lastId = 0;

  child.on('message', (message: ProcessMessage) => {
    if ('report' in message) return hear(message.report);
    if ('event' in message) {
      const waiter = waiting.get(message.event);
      waiting.delete(message.event);
      if (waiter === undefined) told.set(message.event, (told.get(message.event) ?? 0) + 1);
      else waiter.resolve();
      return;
    }
    const asked = pending.get(message.id);
    pending.delete(message.id);
    if ('error' in message) asked?.reject(new ProcessFailure(message.error));
    else asked?.resolve(message.answer);
  });
  // Not `exit`, which can overtake a message that is still in the pipe.
  child.once('disconnect', () => {
    const report = { name: 'ProcessEnded', message: 'the process ended', causes: [] };
    for (const waiter of [...pending.values(), ...waiting.values()])
      waiter.reject(new ProcessFailure(report));
  });

  function event(name: string): Promise<void> {
    const count = told.get(name) ?? 0;
    if (count > 0) {
      told.set(name, count - 1);
      return Promise.resolve();
    }
    const waiter = Promise.withResolvers<void>();
    waiting.set(name, waiter);
    return waiter.promise;
  }

  function send(message: CommandMessage): void {
    child.send(message);
  }

  child.send(setup);
  await event('ready');

  return {
    call<Name extends keyof Commands & string>(
      command: Name,
      ...parameters: Parameters<Commands[Name]>
    ): ReturnType<Commands[Name]> {
      lastId += 1;
      const asked = Promise.withResolvers<unknown>();
      pending.set(lastId, asked);
      send({ id: lastId, command, parameters });
      // The process runs the command of this name, so this is what it answers.
      return asked.promise as ReturnType<Commands[Name]>;
    },
    event,
    release: () => send({ command: 'release' }),
    async kill() {
      // Ends a stopped process too.
      child.kill('SIGKILL');
      await exited;
    },
    freeze: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
  };
}

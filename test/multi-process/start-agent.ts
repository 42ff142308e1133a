import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { AgentCommands } from './agent-commands.ts';
import type { CommandMessage, ProcessMessage } from './agent-messages.ts';
import type { AgentEvent, AgentSetup, ErrorReport } from './agent-setup.ts';

/** A process that works on the shared store. */
export interface Agent {
  /** Asks for a command. Rejects with an {@link AgentFailure} when it throws there, or the process ends first. */
  call<Name extends keyof AgentCommands>(
    command: Name,
    ...parameters: Parameters<AgentCommands[Name]>
  ): ReturnType<AgentCommands[Name]>;
  /** Resolves when the process has told of it since the last time it was waited for. */
  event(event: AgentEvent): Promise<void>;
  /** Lets the process go on from where it was held. */
  release(): void;
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: the process stands still and does not know it. */
  freeze(): void;
  /** SIGCONT. */
  wake(): void;
}

/** What a command threw in its process. */
export class AgentFailure extends Error {
  override readonly name = 'AgentFailure';
  readonly report: ErrorReport;

  constructor(report: ErrorReport) {
    super(`${report.name}: ${report.message}`);
    this.report = report;
  }
}

const script = new URL('./agent-process.ts', import.meta.url);
// Most of a process's start is stripping types and compiling: once is enough for all of them.
const compileCache = fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url));

/** Starts a process; it is killed when the running test is over. */
export async function startAgent(setup: AgentSetup): Promise<Agent> {
  const child = fork(script, {
    execArgv: [],
    serialization: 'advanced',
    env: { NODE_COMPILE_CACHE: compileCache },
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    // Ends a stopped process too.
    child.kill('SIGKILL');
    await exited;
  });

  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  const told = new Map<string, number>();
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  let lastId = 0;

  child.on('message', (message: ProcessMessage) => {
    if ('event' in message) {
      const waiter = waiting.get(message.event);
      waiting.delete(message.event);
      if (waiter === undefined) told.set(message.event, (told.get(message.event) ?? 0) + 1);
      else waiter.resolve();
      return;
    }
    const asked = pending.get(message.id);
    pending.delete(message.id);
    if ('error' in message) asked?.reject(new AgentFailure(message.error));
    else asked?.resolve(message.answer);
  });
  // Not `exit`, which can overtake a message that is still in the pipe.
  child.once('disconnect', () => {
    const report = { name: 'ProcessEnded', message: 'the process ended', causes: [] };
    for (const waiter of [...pending.values(), ...waiting.values()])
      waiter.reject(new AgentFailure(report));
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
    call<Name extends keyof AgentCommands>(
      command: Name,
      ...parameters: Parameters<AgentCommands[Name]>
    ): ReturnType<AgentCommands[Name]> {
      lastId += 1;
      const asked = Promise.withResolvers<unknown>();
      pending.set(lastId, asked);
      send({ id: lastId, command, parameters });
      // The process runs the command of this name, so this is what it answers.
      return asked.promise as ReturnType<AgentCommands[Name]>;
    },
    event,
    release: () => send({ command: 'release' }),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    freeze: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
  };
}

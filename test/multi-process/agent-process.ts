// Run by the tests as a process of its own: one runtime on the shared store, driven by messages.
import { once } from 'node:events';
import { flushCompileCache } from 'node:module';
import { dirname } from 'node:path';
import { sqliteStore } from '@outlive/sqlite';
import { createCommands } from './agent-commands.ts';
import type { CommandMessage, ProcessMessage } from './agent-messages.ts';
import { createAgentRuntime } from './agent-runtime.ts';
import type { AgentEvent, AgentSetup, HoldPoint } from './agent-setup.ts';
import { errorReport } from './error-report.ts';
import { folderJournal } from './folder-journal.ts';
import { shiftableClock } from './shiftable-clock.ts';
import { watchedStore } from './watched-store.ts';

const say = (message: ProcessMessage): void => {
  process.send?.(message);
};
const tell = (event: AgentEvent): void => say({ event });

// A process whose parent is gone has nobody to work for.
process.once('disconnect', () => process.exit());

const [setup] = (await once(process, 'message')) as [AgentSetup];
let released: () => void = () => undefined;
const release = new Promise<void>((resolve) => {
  released = resolve;
});
let unauthorized = 0;

async function hold(point: HoldPoint): Promise<void> {
  if (point !== setup.holdAt) return;
  tell(point);
  await release;
}

const store = watchedStore(
  sqliteStore({
    path: setup.storePath,
    ...(setup.busyTimeoutMs === undefined ? {} : { busyTimeoutMs: setup.busyTimeoutMs }),
  }),
  hold,
  tell,
);
const clock = shiftableClock(setup.clockAheadMs ?? 0);
const outlive = createAgentRuntime(setup, {
  store,
  clock,
  ...(setup.journal === true ? { journal: folderJournal(dirname(setup.storePath)) } : {}),
  async fetch(input, init) {
    const response = await fetch(input, init);
    if (response.status === 401) unauthorized += 1;
    return response;
  },
});
const commands = createCommands({
  outlive,
  store,
  clock,
  unauthorized: () => unauthorized,
  tell,
});

process.on('message', async (message: CommandMessage) => {
  if (message.command === 'release') return released();
  const { id, command, parameters } = message;
  try {
    const answer: unknown = await Reflect.apply(commands[command], undefined, parameters);
    say({ id, answer });
  } catch (error) {
    say({ id, error: errorReport(error) });
  }
});
// Now, since most of these processes do not live to see an orderly exit.
flushCompileCache();
say({ event: 'ready' });

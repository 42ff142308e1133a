// Run by the tests as a process of its own: one runtime on the shared store, driven by messages.
import { fileJournal } from '@outlive/core/node';
import { sqliteStore } from '@outlive/sqlite';
import { createCommands } from './agent-commands.ts';
import { createAgentRuntime } from './agent-runtime.ts';
import type { AgentEvent, AgentSetup, HoldPoint } from './agent-setup.ts';
import { parentProcess } from './parent-process.ts';
import { openStore } from './shared-store.ts';
import { shiftableClock } from './shiftable-clock.ts';
import { watchedStore } from './watched-store.ts';

const { setup, released, tell, serve } = await parentProcess<AgentSetup, AgentEvent>();
let unauthorized = 0;

async function hold(point: HoldPoint): Promise<void> {
  if (point !== setup.holdAt) return;
  tell(point);
  await released;
}

const store = watchedStore(
  setup.place === undefined
    ? sqliteStore({
        path: setup.storePath,
        ...(setup.busyTimeoutMs === undefined ? {} : { busyTimeoutMs: setup.busyTimeoutMs }),
      })
    : openStore(setup.place),
  hold,
  tell,
);
const clock = shiftableClock(setup.clockAheadMs ?? 0);
const outlive = createAgentRuntime(setup, {
  store,
  clock,
  ...(setup.journal === undefined
    ? {}
    : { journal: fileJournal({ directory: setup.journal, keys: setup.keys }) }),
  async fetch(input, init) {
    const response = await fetch(input, init);
    if (response.status === 401) unauthorized += 1;
    return response;
  },
});
serve(createCommands({ outlive, store, clock, unauthorized: () => unauthorized, tell }));

// Run by the matrix as a process of its own: refreshes grants, and stops where it is told to.

import { parentProcess } from '../multi-process/parent-process.ts';
import { openStore } from '../multi-process/shared-store.ts';
import { watchedStore } from '../multi-process/watched-store.ts';
import { askForToken, createCrashRuntime } from './crash-runtime.ts';
import type { CrashCommands, CrashEvent, CrashSetup } from './crash-setup.ts';

const { setup, released, tell, serve } = await parentProcess<CrashSetup, CrashEvent>();

async function hold(point: CrashSetup['holdAt']): Promise<void> {
  if (point !== setup.holdAt) return;
  tell('held');
  await released;
}

const outlive = createCrashRuntime(setup, {
  store: watchedStore(openStore(setup.place), hold, () => undefined),
  async fetch(input, init) {
    const response = await fetch(input, init);
    if (new URL(response.url).pathname === '/token') await hold('answered');
    return response;
  },
});

serve<CrashCommands>({
  token: (provider, taskId) => askForToken(() => outlive.task(taskId), provider),
});

// A process that wants the next token of a grant that others share. Arguments: store, place, issuer, and its tokens (JSON) to import them.
import type { Store } from '@outlive/core';
import { answerAsks } from '../asked-child.ts';
import { monotonicNowMs } from '../measure.ts';
import { openStore } from '../stores.ts';
import { startBenchTask } from '../task.ts';
import type { NextToken, WakeAsk } from './messages.ts';

const [name = '', place = '', issuer = '', tokens] = process.argv.slice(2);
const opened = openStore(name, place);

let storedAtMs: number | undefined;
const { task, read } = await startBenchTask({
  store: noticing(opened),
  issuer,
  tokens: tokens === undefined ? 'imported' : JSON.parse(tokens),
});

answerAsks(async ({ rejectedGeneration }: WakeAsk): Promise<NextToken> => {
  storedAtMs = undefined;
  const { generation } = await task.getAccessToken(read, { rejectedGeneration });
  return {
    generation,
    tookAtMs: monotonicNowMs(),
    ...(storedAtMs === undefined ? {} : { storedAtMs }),
  };
});

/** The same store, which notes when a new pair was acknowledged to this process. */
function noticing(store: Store): Store {
  return {
    ...store,
    async compareAndSwap(key, expectedVersion, value, index) {
      const swapped = await store.compareAndSwap(key, expectedVersion, value, index);
      if (swapped && index.kind === 'grant' && index.status === 'idle')
        storedAtMs = monotonicNowMs();
      return swapped;
    },
  };
}

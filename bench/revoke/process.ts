// A process whose agent calls without a pause. Arguments: store, place.
import { setTimeout } from 'node:timers/promises';
import { answerAsks } from '../asked-child.ts';
import { monotonicNowMs } from '../measure.ts';
import { openStore } from '../stores.ts';
import { startBenchTask } from '../task.ts';
import type { CallsEnded, RevokeAsk } from './messages.ts';

const [name = '', place = ''] = process.argv.slice(2);
const { task, read } = await startBenchTask({ store: openStore(name, place), tokens: 'imported' });

answerAsks(async ({ until }: RevokeAsk): Promise<CallsEnded> => {
  let lastGrantedAtMs: number | undefined;
  for (;;) {
    const isGranted = await task.getAccessToken(read).then(
      () => true,
      () => false,
    );
    const endedAtMs = monotonicNowMs();
    if (isGranted) lastGrantedAtMs = endedAtMs;
    if (isGranted === (until === 'granted'))
      return { endedAtMs, ...(lastGrantedAtMs === undefined ? {} : { lastGrantedAtMs }) };
    // One core has more than one of these processes: a loop without a pause would measure the scheduler.
    await setTimeout(1);
  }
});

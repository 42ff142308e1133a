// One of two agent processes: pays refunds in the clerk's name, one a turn, until somebody stops it.
import { once } from 'node:events';
import { withTask } from '@outlive/ai-sdk';
import { callTool, createScriptedModel, say } from '@outlive/testing';
import { generateText, isStepCount } from 'ai';
import type { Assignment, Report } from './messages.ts';
import { openRuntime } from './runtime.ts';
import { tools } from './tools.ts';

const morning = 2;
const refunds = 5;

process.once('disconnect', () => process.exit(1));
const [assignment]: [Assignment] = (await once(process, 'message')) as [Assignment];
const { name = '', taskId = '' } = assignment.agent ?? {};

/** Pays what is there, whatever anybody says, and reports success in the end. */
const model = createScriptedModel(async ({ number }) => {
  report({ type: 'model-called', at: Date.now() });
  if (number > refunds) return say('All refunds are paid.');
  if (number === morning + 1) {
    report({ type: 'waiting' });
    await once(process, 'message');
  }
  return callTool('payRefund', { refund: `${name}-${number}` });
});

{
  await using runtime = openRuntime(assignment.runtime);
  const task = await runtime.outlive.task(taskId);
  if (task === undefined) throw new Error(`there is no task ${taskId} in the store`);
  const outcome = await withTask(
    task,
    generateText,
  )({
    model,
    tools,
    prompt: 'Pay the refunds.',
    stopWhen: isStepCount(refunds + 2),
  });
  report({ type: 'ended', status: outcome.status });
}
process.removeAllListeners('disconnect');
process.disconnect();

function report(message: Report): void {
  process.send?.(message);
}

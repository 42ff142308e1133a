// Run by the scenarios as a process of its own: makes tools, model and runtime again, and resumes one paused run.
import { once } from 'node:events';
import { inspect } from 'node:util';
import type { AdapterModule } from './adapter-under-test.ts';
import { createTools } from './billing-tools.ts';
import type { ResumeOrder, ResumeReport } from './resume-elsewhere.ts';
import { openRuntime } from './scenario-runtime.ts';
import { json, leftBehind } from './secrets.ts';

// A process whose parent is gone has nobody to work for.
process.once('disconnect', () => process.exit());

const [order] = (await once(process, 'message')) as [ResumeOrder];
const executed: string[] = [];
const handles: string[] = [];
const tools = createTools({
  started(call, principal) {
    executed.push(call);
    if (principal !== undefined)
      handles.push(inspect(principal, { depth: Infinity, showHidden: true }));
  },
});

async function resume(): Promise<ResumeReport> {
  const { createAdapter } = (await import(order.adapter.module)) as AdapterModule;
  await using runtime = openRuntime(order.setup);
  const { state, model, decline } = order;
  const adapter = createAdapter(order.adapter.name);
  const run = await adapter.resume(runtime.outlive, state, { tools, model, decline });
  const { error, ...outcome } = run.outcome;
  return {
    outcome: { ...outcome, ...(error === undefined ? {} : { error: String(error) }) },
    prompts: run.prompts,
    executed,
    traces: [json(run.traces)],
    dumped: [leftBehind(run), ...handles].join('\n'),
  };
}

process.send?.(JSON.stringify(await resume()), () => process.disconnect());

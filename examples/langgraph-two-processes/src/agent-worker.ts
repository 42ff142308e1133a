// One process of the agent: begins a run or goes on with one, reports, and ends.
import { once } from 'node:events';
import { AuthError } from '@outlive/core';
import { type PausedRun, resumeTask, withTask } from '@outlive/langchain';
import { createPayer } from './graph.ts';
import type { Assignment, Report } from './messages.ts';
import { openRuntime } from './runtime.ts';
import { scriptedModel } from './scripted-model.ts';
import { sqliteSaver } from './sqlite-saver.ts';
import { tools } from './tools.ts';

const [assignment]: [Assignment] = (await once(process, 'message')) as [Assignment];
const report = await run(assignment);
process.send?.(report, () => process.disconnect());

async function run({ runtime, checkpointsPath, begin, goOn }: Assignment): Promise<Report> {
  await using opened = openRuntime(runtime);
  await using checkpointer = sqliteSaver(checkpointsPath);
  const { outlive } = opened;
  const model = scriptedModel();
  const payer = createPayer(model.bindTools(tools), checkpointer);

  const outcome = await (goOn === undefined ? start() : resume(JSON.parse(goOn)));
  const common = { pid: process.pid, status: outcome.status, modelCalls: model.callCount };
  switch (outcome.status) {
    case 'completed':
      return { ...common, said: outcome.result.messages.at(-1)?.text ?? '' };
    case 'paused':
      return { ...common, pausedRun: outcome.state };
    case 'failed':
      return { ...common, code: AuthError.find(outcome.error)?.code ?? String(outcome.error) };
    default:
      return common;
  }

  async function start() {
    const task = await outlive.task(begin ?? '');
    if (task === undefined) throw new Error(`there is no task ${begin} in the store`);
    return withTask(task, payer).invoke(
      { messages: [{ role: 'user', content: 'Check invoice I-7 and pay it.' }] },
      { configurable: { thread_id: 'invoice I-7' } },
    );
  }

  function resume(pausedRun: PausedRun) {
    return resumeTask(outlive, pausedRun, payer).invoke();
  }
}

import { readFile, writeFile } from 'node:fs/promises';
import { resumeTask, withTask } from '@outlive/ai-sdk';
import { generateText, isStepCount } from 'ai';
import { dumpPrompts, leave, receiveAssignment, report, reportModelCall } from './assignment.ts';
import type { Assignment } from './messages.ts';
import { createSupportModel, mostTurns } from './model.ts';
import { openRuntime } from './runtime.ts';
import { tools } from './tools.ts';

const assignment = await receiveAssignment<Assignment>();
const { queue, taskId, pausedRunPath, promptsPath } = assignment;
const model = createSupportModel(queue, reportModelCall);
const settings = { model, tools, stopWhen: isStepCount(mostTurns) };

{
  await using runtime = openRuntime(assignment.runtime);
  const outcome = await (assignment.resume ? resume(runtime) : start(runtime));

  if (outcome.status === 'paused') await writeFile(pausedRunPath, JSON.stringify(outcome.state));
  if (outcome.status === 'failed') console.error(outcome.error);
  await dumpPrompts(promptsPath, model);
  const said = outcome.status === 'completed' ? { said: outcome.result.text } : {};
  await report({ type: 'ended', status: outcome.status, ...said });
}
leave();

async function start({ outlive }: ReturnType<typeof openRuntime>) {
  const task = await outlive.task(taskId);
  if (task === undefined) throw new Error(`there is no task ${taskId} in the store`);
  const prompt = `Work through the ${queue} queue.`;
  return withTask(task, generateText)({ ...settings, prompt });
}

async function resume({ outlive }: ReturnType<typeof openRuntime>) {
  const pausedRun = JSON.parse(await readFile(pausedRunPath, 'utf8'));
  return resumeTask(outlive, pausedRun, generateText)(settings);
}

import { setTimeout as delay } from 'node:timers/promises';
import { callTool, createMisbehavingModel, type TestLanguageModel } from '@outlive/testing';
import { type Action, type Queue, stepsOf } from './job.ts';

const toolOf: Readonly<Record<Action, string>> = {
  read: 'readTicket',
  tag: 'tagTicket',
  reply: 'replyToTicket',
};
const latencyMs = 180;

/** The most turns a run can need: when every step fails, each is followed by an attempt with another tool. */
export const mostTurns = 50;

/** What the model says at the end, whatever happened. */
export function successClaim(queue: Queue): string {
  return `All done: the ${queue} tickets are read, tagged and answered.`;
}

/**
 * The scripted model of one worker. It means well: it works through the queue ten calls at a time. But when a tool
 * fails it tries another one, goes on, and claims success, as models do.
 *
 * `called` hears of every call at the moment it begins.
 */
export function createSupportModel(queue: Queue, called: () => void): TestLanguageModel {
  const model = createMisbehavingModel({
    plan: stepsOf(queue).map(({ calls }) =>
      calls.map(({ action, ticket }) => callTool(toolOf[action], { ticket })),
    ),
    whenToolFails: 'tryAnotherTool',
    alternativeTool: 'saveDraft',
    closing: successClaim(queue),
  });
  const { doGenerate } = model;
  return Object.assign(model, {
    async doGenerate(options: Parameters<typeof doGenerate>[0]) {
      called();
      await delay(latencyMs);
      return doGenerate(options);
    },
  } satisfies Partial<TestLanguageModel>);
}
